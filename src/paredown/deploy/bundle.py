"""The folder that ships to the device: model, card, evidence, a script that runs it, and how to."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path

from paredown.card import Card
from paredown.deploy.model_files import ModelFiles, model_files
from paredown.deploy.readme import readme
from paredown.deploy.script import detect_script
from paredown.families.card_text import write_card
from paredown.files import Layout, check_directory, check_plain, storage_errors
from paredown.graph.precision import quantized_ops
from paredown.measurement import Trial
from paredown.model import Model
from paredown.study.records import json_text
from paredown.targets import Target

BUNDLE = Layout("a bundle", ("card.toml", "measured.json", "detect.py", "README.md"))


def write_bundle(
    model: Model,
    card: Card,
    trial: Trial,
    place: Target,
    out: Path,
    *,
    source_name: str = "",
    judged_on: str = "",
    classes: tuple[str, ...] = (),
) -> Path:
    """The folder `out`, written beside it first and then put in its place. An older bundle there is replaced;
    files of other names in it are kept.

    model: what ships. trial: where it comes from and what was measured. place: the device and runtime that it
    is for, and whose files it gets. source_name: the float model's file. judged_on: the images that the
    figures are of, in words. classes: names of those that they are of, which `detect.py` then tells alone;
    empty for all.

    Raises: StorageError where the folder cannot be written, and whatever building the files may raise; an
    older bundle then stays as it was.
    """
    check_directory(out, BUNDLE, force=True)
    card = card if trial.size is None else card.at(trial.size)
    fresh = out.with_name(f".{out.name}.new")
    with storage_errors(out):
        try:
            _fill(fresh, model, card, trial, place, (source_name, judged_on), classes)
            for path in fresh.iterdir():
                check_plain(out / path.name)
            _replace(out, fresh)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return out


def _fill(
    folder: Path,
    model: Model,
    card: Card,
    trial: Trial,
    place: Target,
    words: tuple[str, str],
    classes: tuple[str, ...],
) -> None:
    """Every file of the bundle in a new folder. words: the float model's file, and the images judged on."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = model_files(model, trial, place, folder)
    write_card(card, folder / "card.toml")
    (folder / "measured.json").write_text(_evidence(model, trial, files), encoding="utf-8")
    surroundings = {} if trial.measurement is None else trial.measurement.environment
    integers = bool(quantized_ops(model))
    script = detect_script(card.family, place.runtime, surroundings, integers=integers, classes=classes)
    (folder / "detect.py").write_text(script, encoding="utf-8")
    (folder / "detect.py").chmod(0o755)
    (folder / "README.md").write_text(readme(model, card, trial, files, *words, classes), encoding="utf-8")


def _replace(out: Path, fresh: Path) -> None:
    """`fresh` under the name `out`; the bundle that stood there is gone only once the new one is in place."""
    old = out.with_name(f".{out.name}.old")
    _settle(out, old)
    if out.exists():
        out.rename(old)
    fresh.rename(out)
    _settle(out, old)


def _settle(out: Path, old: Path) -> None:
    """Nothing is left at `old`: the user's own files move into `out`, or all of it where there is no `out`.

    Also what a replacement left that was cut short.
    """
    if not old.exists():
        return
    if not out.exists():
        old.rename(out)
        return
    ours = {*BUNDLE.marks, *_files_of(old)}
    for entry in list(old.iterdir()):
        if entry.name not in ours and not (out / entry.name).exists():
            entry.rename(out / entry.name)
    shutil.rmtree(old, ignore_errors=True)


def _files_of(bundle: Path) -> set[str]:
    """The files of the model in an older bundle."""
    try:
        files = json.loads((bundle / "measured.json").read_bytes())["files"]
        return {str(name) for name in files}
    except (OSError, ValueError, KeyError, TypeError):  # one of the first, or what stood there was none
        return {"model.onnx"}


def _evidence(model: Model, trial: Trial, files: ModelFiles) -> str:
    """The trial without its log and curves (they stay in the study), as JSON."""
    kept = {f.name: getattr(trial, f.name) for f in fields(trial) if f.name not in ("log", "measurement")}
    measurement = trial.measurement
    if measurement is not None:
        kept["measurement"] = {
            f.name: getattr(measurement, f.name) for f in fields(measurement) if f.name != "curves"
        }
    kept["model_sha256"] = model.sha256
    kept["files"] = files.fingerprints()
    kept["built_with"] = files.built_with
    return json_text(kept) + "\n"
