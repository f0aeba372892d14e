"""facts.json: what a report says of a study beside its trials, written at its start and at its end."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from paredown._report.story import DatasetFacts, ModelFacts
from paredown.errors import StorageError, UsageError
from paredown.families.card_text import write_card
from paredown.files import write_whole
from paredown.graph.inspect import inspect
from paredown.graph.layers import Layers, layers_of
from paredown.preprocessing.values import FED, feeding
from paredown.report_data.node_times import KeptTimes, time_layers
from paredown.report_data.pictures import Drawn, draw_pictures, shown_beside_float
from paredown.study.best import Verdict
from paredown.study.evidence import keep_evidence
from paredown.study.private import hidden
from paredown.study.records import json_text, plain, read_json
from paredown.study.store import read_study
from paredown.study.work import Work
from paredown.tasks import TASKS, headline
from paredown.typed import build


@dataclass(frozen=True)
class Facts:
    """What facts.json holds, by type: somebody may have edited it.

    planned: labels of all recipes that are to be tried. pictures_of: label of the model beside float in them.
    """

    title: str
    model: ModelFacts
    dataset: DatasetFacts
    classes: tuple[str, ...]
    metric: str
    command: str
    made_on: str
    pictures: tuple[Drawn, ...]
    pictures_of: str
    float_layers: Layers | None = None
    node_times: KeptTimes | None = None
    planned: tuple[str, ...] = ()
    finished: bool = True


def write_start(
    directory: Path, work: Work, command: str, recipes: Collection[str], notes: tuple[str, ...]
) -> None:
    """Writes facts.json before the first trial, so that a study that goes on has a report.

    recipes: labels of all that are to be tried.
    """
    _write(directory, work, replace(_facts(work, command, notes), planned=tuple(recipes), finished=False))


def write_end(directory: Path, work: Work, verdict: Verdict, command: str, notes: tuple[str, ...]) -> None:
    """Writes facts.json, evidence and pictures: the report is made again from the directory alone."""
    keep_evidence(directory, work)
    shown = shown_beside_float(directory, verdict)
    facts = replace(
        _facts(work, command, notes),
        pictures=() if shown is None else draw_pictures(directory, work, shown),
        pictures_of="" if shown is None else shown.label,
        node_times=time_layers(directory, work, () if shown is None else (shown,)),
    )
    _write(directory, work, facts)


def read_facts(directory: Path) -> Facts:
    """What was written last. Raises UsageError where the study has not begun, StorageError on damage."""
    read_study(directory)  # says so where this is no study at all
    path = directory / "facts.json"
    if not path.is_file():
        raise UsageError(f"the study in {directory} has not begun", hint="run it again: it goes on")
    try:
        return build(Facts, read_json(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as e:
        hint = "run the study again: it writes the file anew"
        raise StorageError(f"{path} cannot be read", got=str(e)[:200], hint=hint) from e


def _facts(work: Work, command: str, notes: tuple[str, ...]) -> Facts:
    card = work.bench.card
    return Facts(
        title=work.model.name,
        model=_model_facts(work),
        dataset=_dataset_facts(work, notes),
        classes=tuple(card.classes),
        metric=headline(card.task, work.images.judged.has_truth),
        command=command,
        made_on=datetime.now(UTC).isoformat(timespec="seconds"),
        pictures=(),
        pictures_of="",
        float_layers=layers_of(work.prepared),
    )


def _write(directory: Path, work: Work, facts: Facts) -> None:
    write_card(work.bench.card, directory / "card.toml")
    write_whole(directory / "facts.json", json_text(hidden(plain(facts), work.hide)).encode())


def _model_facts(work: Work) -> ModelFacts:
    found = inspect(work.prepared)
    return ModelFacts(
        name=work.model.name,
        sha256=work.model.sha256,
        size_bytes=work.model.size_bytes,
        family=work.bench.card.family,
        task=work.bench.card.task,
        inputs=tuple(str(spec) for spec in work.model.inputs),
        origins={**work.bench.card.origin, FED: feeding(work.bench.card).partition(": ")[2]},
        macs=found.macs,
        weights=found.weights,
        peak_activation_bytes=found.peak_activation_bytes,
    )


def _dataset_facts(work: Work, notes: tuple[str, ...]) -> DatasetFacts:
    judged, calibration = work.images.judged, work.images.calibration
    task = TASKS[work.bench.card.task]
    known = [s.truth for s in judged if s.truth is not None] if task.WORDS.truths else []
    truths = [len(task.classes_of(t)) for t in known]
    return DatasetFacts(
        name=judged.name,
        format=judged.format,
        images=len(judged),
        has_truth=judged.has_truth,
        calibration_images=len(calibration),
        calibration_how=work.images.how,
        boxes=sum(truths) if truths else None,
        classes=len(judged.classes) or None,
        notes=tuple(n for n in notes if n != work.images.how),
        judged_classes=work.bench.class_names,
    )
