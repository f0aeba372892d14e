"""What a report says of single layers: those of every model of a study, and the times that they take here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from paredown._measure.environment import environment
from paredown._report.story import NodeSeconds, NodeTimings
from paredown.analyze.against_float import FLOAT
from paredown.errors import ParedownError, StorageError
from paredown.graph.layers import Layers, layers_of
from paredown.measurement import Trial
from paredown.study.store import model_of
from paredown.study.work import Work

MODELS = 10  # whose layers a report shows: the page must open on a phone


@dataclass(frozen=True)
class TimedModel:
    """Node times of one model."""

    sha256: str
    seconds: Mapping[str, float]
    unmapped_s: float


@dataclass(frozen=True)
class KeptTimes:
    """Node times by `Trial.key`, and the machine they were taken on; `why` says why there are none."""

    models: Mapping[str, TimedModel]
    why: str
    environment: Mapping[str, object] = field(default_factory=dict)


def time_layers(directory: Path, work: Work, trials: Sequence[Trial]) -> KeptTimes:
    """Node times of the float model and of these trials' models, taken in turns now, in the runtime of the
    first of them."""
    runtime = next((t.runtime for t in trials), work.bench.target.runtime)
    time_nodes = replace(work.bench.target, runtime=runtime).time_nodes(work.options.threads)
    if time_nodes is None:
        return KeptTimes(
            {}, f"{work.options.target} is not this machine, or {runtime} gives no times of nodes"
        )
    chosen = [t for t in trials if t.recipe != FLOAT and t.model_file is not None]
    try:
        models = [work.prepared, *(model_of(directory, t) for t in chosen)]
        taken = time_nodes(models)
    except ParedownError as e:
        return KeptTimes({}, str(e).splitlines()[0])
    names = [FLOAT, *(t.key for t in chosen)]
    timed = {
        name: TimedModel(model.sha256, dict(times.seconds), times.unmapped_s)
        for name, model, times in zip(names, models, taken, strict=True)
    }
    taken_in = {} if runtime == work.bench.target.runtime else {"runtime": runtime}
    return KeptTimes(timed, "", {**environment(work.bench.target.host, work.options.threads), **taken_in})


def read_layers(
    directory: Path, trials: Sequence[Trial], first: str, source: Layers | None, kept: KeptTimes | None
) -> tuple[dict[str, Layers], NodeTimings]:
    """The layers by `Trial.key`, of the trial `first` and those named by the user, and the times kept for
    them.

    source: the float model's layers. A model whose file is gone or cannot be read has none.
    """
    kept = KeptTimes({}, "") if kept is None else kept
    times = {name: NodeSeconds(dict(m.seconds), m.unmapped_s) for name, m in kept.models.items()}
    found = {} if source is None else {FLOAT: source}
    names = () if source is None else tuple(layer.node for layer in source.layers)
    for trial in _chosen(trials, first):
        try:
            _inside(directory, str(trial.model_file))
            model = model_of(directory, trial)
        except ParedownError:
            continue  # the report says that this model's layers cannot be shown
        found[trial.key] = layers_of(model, names)
        timed = kept.models.get(trial.key)
        if timed is not None and timed.sha256 != model.sha256:
            del times[trial.key]  # taken of another file
    return found, NodeTimings(times, dict(kept.environment), kept.why or _UNTIMED)


_UNTIMED = "they are taken when a study ends on the machine that it is for"


def _chosen(trials: Sequence[Trial], first: str) -> list[Trial]:
    """Trials with a model, the one of the key `first` in front, those of a search last."""
    made = [t for t in trials if t.recipe != FLOAT and t.model_file is not None and t.measurement is not None]
    return sorted(made, key=lambda t: (t.key != first, t.origin == "search"))[:MODELS]


def _inside(directory: Path, name: str) -> None:
    if not (directory / name).resolve().is_relative_to(directory.resolve()):
        raise StorageError(f"{name} lies outside of the study", expected=f"a file in {directory}")
