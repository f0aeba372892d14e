"""From a study directory to the Story that a report tells, with nothing measured again.

facts.json      the float model, the data, the command, the recipes to come: what trials.jsonl does not hold;
                written when a study starts, and again with pictures and times of layers when it has ended
card.toml       how all of the study's models are fed and read
pictures/       0-float.jpg, 0-other.jpg, ...: the images with the largest differences
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paredown._compress.presets import STOCK
from paredown._measure.accuracy import headline
from paredown._report import Advice, DatasetFacts, Elsewhere, ModelFacts, Picture, Story
from paredown._report import Limits as AskedLimits
from paredown.analyze.against_float import points_lost
from paredown.differences import differing_pairs
from paredown.errors import StorageError, UnknownName, UsageError
from paredown.families.cards import write_card
from paredown.files import make_directory, storage_errors, write_whole
from paredown.graph.inspect import inspect
from paredown.graph.layers import Layers
from paredown.layerwise import float_layers, read_layers, time_layers
from paredown.measurement import Measurement, Trial
from paredown.model import TensorSpec
from paredown.preprocessing.values import FED, feeding
from paredown.sample import Labels
from paredown.study.environments import unmatched
from paredown.study.options import Asked
from paredown.study.predictions import load_predictions, predictions_path
from paredown.study.private import hidden
from paredown.study.records import json_text, plain, read_json
from paredown.study.store import read_apart, read_study, read_trials
from paredown.study.trial_log import read_log
from paredown.study.trials import Work
from paredown.study.typed import build
from paredown.study.verdict import FLOAT, Verdict, choose_best


@dataclass(frozen=True)
class _Shown:
    """A pair of pictures: of which image, how the two differ, and whether the truth is drawn too."""

    name: str
    why: str
    truth: bool = False


@dataclass(frozen=True)
class _Timed:
    """Node times of one model."""

    sha256: str
    seconds: Mapping[str, float]
    unmapped_s: float


@dataclass(frozen=True)
class _Times:
    models: Mapping[str, _Timed]
    why: str
    environment: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class _FactsFile:
    """What facts.json holds, by type: somebody may have edited it."""

    title: str
    model: ModelFacts
    dataset: DatasetFacts
    classes: tuple[str, ...]
    metric: str
    command: str
    made_on: str
    pictures: tuple[_Shown, ...]
    pictures_of: str
    float_layers: Layers | None = None
    node_times: _Times | None = None
    planned: tuple[str, ...] = ()
    finished: bool = True


def begin(
    directory: Path, work: Work, command: str, recipes: Collection[str], notes: tuple[str, ...]
) -> None:
    """Writes facts.json before the first trial, so that a report can be told of a study that goes on.

    recipes: labels of all that are to be tried.
    """
    facts = {**_facts(work, command, notes), "pictures": [], "pictures_of": "", "planned": list(recipes)}
    _write_facts(directory, work, {**facts, "finished": False})


def gather(directory: Path, work: Work, verdict: Verdict, command: str, notes: tuple[str, ...]) -> None:
    """Writes facts.json and the pictures, so that the report can be told again from the directory alone."""
    shown = _shown(directory, verdict)
    pictures = [] if shown is None else _draw_pictures(directory, work, shown)
    facts = {
        **_facts(work, command, notes),
        "pictures": pictures,
        "pictures_of": "" if shown is None else shown.label,
        "node_times": time_layers(directory, work, () if shown is None else (shown,)),
        "planned": [],
        "finished": True,
    }
    _write_facts(directory, work, facts)


def _facts(work: Work, command: str, notes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "title": work.model.name,
        "model": asdict(_model_facts(work)),
        "float_layers": float_layers(work),
        "dataset": asdict(_dataset_facts(work, notes)),
        "classes": list(work.bench.card.classes),
        "metric": headline(work.bench.card.task, work.images.judged.has_truth),
        "command": command,
        "made_on": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _write_facts(directory: Path, work: Work, facts: Mapping[str, Any]) -> None:
    write_card(work.bench.card, directory / "card.toml")
    write_whole(directory / "facts.json", json_text(hidden(plain(facts), work.hide)).encode())


def tell(directory: Path, layers_for: str = "") -> Story:
    """The story of a study, also of one that goes on. layers_for: label of the model whose layers are drawn.

    Raises: UsageError where it has not begun yet; UnknownName for a label that no model of it has.
    """
    facts = _read_facts(directory)
    trials = sorted(read_trials(directory), key=lambda t: t.recipe != FLOAT)
    tables = {k: v for k, v in read_study(directory).items() if k in ("asked", "limits", "options")}
    asked = Asked.parse(tables)
    advice, measured = _advice(trials, asked)
    shown = _layered(trials, layers_for or facts["pictures_of"], advice.recipe, asked_for=bool(layers_for))
    layers, node_times = read_layers(directory, trials, shown, facts)
    others = read_apart(directory)
    others = others if asked.options.keep_other else unmatched(others, trials)
    return Story(
        title=facts["title"],
        model=ModelFacts(**_tuples(facts["model"])),
        dataset=DatasetFacts(**_tuples(facts["dataset"])),
        limits=_limits(asked, facts["metric"]),
        advice=advice,
        trials=tuple(trials),
        metric=facts["metric"],
        command=facts["command"],
        environment={} if measured is None else measured.environment,
        classes=tuple(facts["classes"]),
        stock=tuple(t.recipe for t in trials if any(t.recipe.startswith(kind) for kind in STOCK)),
        pictures=tuple(_read_picture(directory, i, p) for i, p in enumerate(facts["pictures"])),
        pictures_of=facts["pictures_of"],
        layers=layers,
        layers_for=layers_for,
        node_times=node_times,
        doubts=read_log(directory).notes,
        elsewhere=tuple(Elsewhere(a.trials, a.differs) for a in others),
        made_on=facts["made_on"],
        directory=directory,
        finished=bool(facts.get("finished", True)),
        to_come=tuple(p for p in facts.get("planned", ()) if p not in {t.label for t in trials}),
    )


def _limits(asked: Asked, metric: str) -> AskedLimits:
    limits = asked.limits
    return AskedLimits(limits.allowed(metric), limits.max_latency_s, limits.max_size_bytes)


def _layered(trials: Sequence[Trial], label: str, otherwise: str, *, asked_for: bool) -> str:
    """The recipe whose layers are read first."""
    made = {name: t.recipe for t in trials if t.model_file is not None for name in (t.recipe, t.label)}
    if asked_for and label not in made:
        raise UnknownName("model of this study", label, set(made) - {FLOAT})
    return made.get(label, otherwise)


def _advice(trials: Sequence[Trial], asked: Asked) -> tuple[Advice, Measurement | None]:
    """The verdict over the trials so far; none before the float model was measured."""
    if not any(t.recipe == FLOAT and t.measurement is not None for t in trials):
        return Advice("", ("The float model has not been measured yet.",)), None
    verdict = choose_best(trials, asked.limits)
    advice = Advice(verdict.best.recipe, verdict.reasons, verdict.remarks, verdict.gate_met)
    return advice, verdict.best.measurement


def _shown(directory: Path, verdict: Verdict) -> Trial | None:
    """The trial whose pictures stand beside the float model's: the best, or else the one that lost least."""
    if verdict.best.recipe != FLOAT:
        return verdict.best
    others = [t for t in read_trials(directory) if t.recipe != FLOAT]
    lost = [
        (points.value, i)
        for i, t in enumerate(others)
        if (points := points_lost(t, verdict.baseline)) is not None
    ]
    return others[min(lost)[1]] if lost else None


def _draw_pictures(directory: Path, work: Work, shown: Trial) -> list[dict[str, Any]]:
    """The pairs drawn and written; their names and reasons."""
    images = len(work.images.judged)
    first = load_predictions(predictions_path(directory, FLOAT), images)
    second = load_predictions(predictions_path(directory, shown.label), images)
    if first is None or second is None:
        return []
    folder = directory / "pictures"
    with storage_errors(folder):
        shutil.rmtree(folder, ignore_errors=True)
    make_directory(folder)
    pairs = differing_pairs(work.images.judged, first, second, work.bench.card)
    for i, pair in enumerate(pairs):
        write_whole(folder / f"{i}-float.jpg", pair.first)
        write_whole(folder / f"{i}-other.jpg", pair.second)
    return [{"name": pair.name, "why": pair.why, "truth": pair.truth} for pair in pairs]


def _read_picture(directory: Path, index: int, entry: Mapping[str, Any]) -> Picture:
    folder = directory / "pictures"
    try:
        first, second = ((folder / f"{index}-{side}.jpg").read_bytes() for side in ("float", "other"))
    except OSError as e:
        raise StorageError(f"a picture of the study is missing in {folder}", got=e.strerror) from e
    return Picture(entry["name"], entry["why"], first, second, bool(entry.get("truth", False)))


def _read_facts(directory: Path) -> dict[str, Any]:
    read_study(directory)  # says so where this is no study at all
    path = directory / "facts.json"
    if not path.is_file():
        raise UsageError(f"the study in {directory} has not begun", hint="run it again: it goes on")
    try:
        facts: dict[str, Any] = read_json(path.read_text(encoding="utf-8"))
        build(_FactsFile, facts)
    except (OSError, ValueError) as e:
        hint = "run the study again: it writes the file anew"
        raise StorageError(f"{path} cannot be read", got=str(e)[:200], hint=hint) from e
    return facts


def _model_facts(work: Work) -> ModelFacts:
    found = inspect(work.prepared)
    return ModelFacts(
        name=work.model.name,
        sha256=work.model.sha256,
        size_bytes=work.model.size_bytes,
        family=work.bench.card.family,
        task=work.bench.card.task,
        inputs=tuple(spell(spec) for spec in work.model.inputs),
        origins={**work.bench.card.origin, FED: feeding(work.bench.card).partition(": ")[2]},
        macs=found.macs,
        weights=found.weights,
        peak_activation_bytes=found.peak_activation_bytes,
    )


def _dataset_facts(work: Work, notes: tuple[str, ...]) -> DatasetFacts:
    judged, calibration = work.images.judged, work.images.calibration
    boxes = [len(s.truth.classes) for s in judged if isinstance(s.truth, Labels)]
    return DatasetFacts(
        name=judged.name,
        format=judged.format,
        images=len(judged),
        has_truth=judged.has_truth,
        calibration_images=len(calibration),
        calibration_how=work.images.how,
        boxes=sum(boxes) if boxes else None,
        classes=len(judged.classes) or None,
        notes=tuple(n for n in notes if n != work.images.how),
    )


def spell(spec: TensorSpec) -> str:
    """A tensor in words: "images float32 1x3x640x640"."""
    return f"{spec.name} {spec.dtype} {'x'.join('?' if d is None else str(d) for d in spec.shape)}"


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
