"""The folder that ships to the device: model, card, evidence, a script that runs it, and how to."""

from __future__ import annotations

import shutil
from dataclasses import fields
from importlib import resources
from pathlib import Path
from string import Template

from paredown._measure.environment import saturated, threads_set
from paredown._report.format import interval, shown
from paredown.card import Card
from paredown.deploy.single_file import single_file
from paredown.families.cards import write_card
from paredown.files import Layout, check_directory, check_plain, storage_errors
from paredown.measurement import Quantity, Trial, machine_name
from paredown.metrics import kind_of, title_of
from paredown.model import Model
from paredown.no_telemetry import all_switches
from paredown.preprocessing.values import describe
from paredown.printable import printable
from paredown.study.best import FLOAT
from paredown.study.records import json_text
from paredown.tasks import TASKS

# Of the float model these say how steady the machine was, not how fast it is.
AGAINST_FLOAT = ("latency_ratio", "float_latency_s")

HEAD = """Runs the model of this folder on images, videos and cameras. See README.md.

Made by Paredown (Apache-2.0) out of its own sources: what runs here is the code that was measured.
Needs Python 3.11 or newer, numpy, onnxruntime and opencv-python-headless.
"""
TAIL = """if __name__ == "__main__":
    raise SystemExit(main(decode, read_complete_card, threads={threads}, saturated={saturated}))
"""
BUNDLE = Layout("a bundle", ("model.onnx", "card.toml", "measured.json", "detect.py", "README.md"))


def write_bundle(model: Model, card: Card, trial: Trial, out: Path, *, source_name: str = "") -> Path:
    """The folder `out`, written beside it first and then put in its place. An older bundle there is replaced;
    files of other names in it are kept.

    model: what ships. trial: where it comes from and what was measured. source_name: the float model's file.

    Raises: StorageError where the folder cannot be written; an older bundle then stays as it was.
    """
    check_directory(out, BUNDLE, force=True)
    card = card if trial.size is None else card.at(trial.size)
    for name in BUNDLE.marks:
        check_plain(out / name)
    fresh = out.with_name(f".{out.name}.new")
    with storage_errors(out):
        try:
            _fill(fresh, model, card, trial, source_name)
            _replace(out, fresh)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return out


def _fill(folder: Path, model: Model, card: Card, trial: Trial, source_name: str) -> None:
    """Every file of the bundle in a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model.data)
    write_card(card, folder / "card.toml")
    (folder / "measured.json").write_text(_evidence(model, trial), encoding="utf-8")
    (folder / "detect.py").write_text(detect_script(card.family, trial), encoding="utf-8")
    (folder / "detect.py").chmod(0o755)
    (folder / "README.md").write_text(_readme(model, card, trial, source_name), encoding="utf-8")


def detect_script(family: str, trial: Trial | None = None) -> str:
    """The text of `detect.py` for models of this family, which opens the model as the trial did."""
    roots = [
        (f"paredown.families.{family}", "decode"),
        ("paredown.deploy.device_card", "read_complete_card"),
        ("paredown.deploy.detect_main", "main"),
    ]
    measurement = None if trial is None else trial.measurement
    surroundings = {} if measurement is None else measurement.environment
    tail = TAIL.format(threads=threads_set(surroundings), saturated=saturated(surroundings))
    return single_file(roots, head=HEAD, first=_first(), tail=tail)


def _first() -> str:
    """Lines that switch telemetry off before ONNX Runtime is loaded."""
    switches = [f'os.environ["{name}"] = "{value}"' for name, value in all_switches().items()]
    return "\n".join(
        ["import os", "", "# nothing phones home; works before ONNX Runtime is loaded", *switches]
    )


def _replace(out: Path, fresh: Path) -> None:
    """`fresh` under the name `out`; the bundle that stood there is gone only once the new one is in place."""
    old = out.with_name(f".{out.name}.old")
    if old.exists():
        shutil.rmtree(old)
    if out.exists():
        out.rename(old)
    fresh.rename(out)
    if old.exists():
        for entry in list(old.iterdir()):
            if entry.name not in BUNDLE.marks:
                entry.rename(out / entry.name)
        shutil.rmtree(old, ignore_errors=True)


def _evidence(model: Model, trial: Trial) -> str:
    """The trial without its log and curves (they stay in the study), as JSON."""
    kept = {f.name: getattr(trial, f.name) for f in fields(trial) if f.name not in ("log", "measurement")}
    measurement = trial.measurement
    if measurement is not None:
        kept["measurement"] = {
            f.name: getattr(measurement, f.name) for f in fields(measurement) if f.name != "curves"
        }
    kept["model_sha256"] = model.sha256
    return json_text(kept) + "\n"


def _readme(model: Model, card: Card, trial: Trial, source_name: str) -> str:
    template = Template((resources.files("paredown.deploy") / "readme.md").read_text(encoding="utf-8"))
    height, width = card.preprocess.size
    words = TASKS[card.task].WORDS
    summary = (
        f"A {words.kind} of the family {card.family}, {len(card.classes)} classes, input {width} x {height}, "
        f"fed with {describe(card.preprocess)}."
    )
    name = Path(source_name).stem or model.name
    text = template.substitute(
        name=printable(f"{name}, {trial.label}" if trial.label != name else name),
        summary=summary,
        figures="\n".join(figures(model, trial)),
        source_name=printable(source_name or model.name),
        source_sha=trial.source_sha256,
        recipe=trial.recipe,
        marks=words.marks,
        conf=f"{card.conf:g}",
        example=words.example,
    )
    return printable(text, keep_lines=True)


def figures(model: Model, trial: Trial) -> list[str]:
    """Rows of the table: the measured quantities, and on what."""
    rows = [f"| file size | {model.size_bytes / 1e6:.2f} MB |"]
    if trial.measurement is None:
        return rows
    hidden = AGAINST_FLOAT if trial.recipe == FLOAT else ()
    shipped = [q for q in trial.measurement.quantities if q.name not in hidden]
    found = [q for q in shipped if "bundle" in kind_of(q.name).places]
    rows += [f"| {title_of(q.name)} | {shown(q)}{_span(q)}, {q.how} |" for q in found]
    return [*rows, f"| on | target {machine_name(trial.measurement)} |"]


def _span(quantity: Quantity) -> str:
    span = interval(quantity)
    return f" (95 % interval {span})" if span else ""
