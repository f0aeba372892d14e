"""What a report says of single layers: those of every model of a study, and the times that they take here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from paredown._measure.environment import environment
from paredown._report.story import NodeSeconds, NodeTimings
from paredown.errors import ParedownError, StorageError
from paredown.graph.layers import Layer, Layers, layers_of
from paredown.measurement import Trial
from paredown.study.store import model_of
from paredown.study.trials import Work
from paredown.study.verdict import FLOAT

MODELS = 10  # whose layers a report shows: the page must open on a phone


def float_layers(work: Work) -> dict[str, Any]:
    """The float model's layers as plain values, for facts.json."""
    return asdict(layers_of(work.prepared))


def time_layers(directory: Path, work: Work, trials: Sequence[Trial]) -> dict[str, Any]:
    """Node times of the float model and of these trials' models, taken in turns now; plain values.

    Where there are none, `why` says so. They are kept with the machine they were taken on.
    """
    time_nodes = work.bench.target.time_nodes(work.options.threads)
    if time_nodes is None:
        why = f"{work.options.target} is not this machine, or its runtime tells no times"
        return {"models": {}, "why": why}
    chosen = [t for t in trials if t.recipe != FLOAT and t.model_file is not None]
    try:
        models = [work.prepared, *(model_of(directory, t) for t in chosen)]
        taken = time_nodes(models)
    except ParedownError as e:
        return {"models": {}, "why": str(e).splitlines()[0]}
    names = [FLOAT, *(t.recipe for t in chosen)]
    return {
        "environment": dict(environment(work.options.threads)),
        "models": {
            name: {"sha256": m.sha256, "seconds": dict(times.seconds), "unmapped_s": times.unmapped_s}
            for name, m, times in zip(names, models, taken, strict=True)
        },
        "why": "",
    }


def read_layers(
    directory: Path, trials: Sequence[Trial], first: str, facts: Mapping[str, Any]
) -> tuple[dict[str, Layers], NodeTimings]:
    """The layers by recipe, of the recipe `first` and those named by the user, and the times kept for them.

    A model whose file is gone or cannot be read has none. Raises: StorageError where facts.json is damaged.
    """
    try:
        source = _layers(facts["float_layers"]) if "float_layers" in facts else None
        kept = facts.get("node_times", {})
        times = {
            name: NodeSeconds({k: float(v) for k, v in m["seconds"].items()}, float(m["unmapped_s"]))
            for name, m in kept.get("models", {}).items()
        }
        hashes = {name: m["sha256"] for name, m in kept.get("models", {}).items()}
        taken_on, why = dict(kept.get("environment", {})), str(kept.get("why", "") or _UNTIMED)
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise StorageError(f"{directory / 'facts.json'} is damaged", got=e, hint="run the study again") from e
    found = {} if source is None else {FLOAT: source}
    names = () if source is None else tuple(layer.node for layer in source.layers)
    for trial in _chosen(trials, first):
        try:
            _inside(directory, str(trial.model_file))
            model = model_of(directory, trial)
        except ParedownError:
            continue  # the report says that this model's layers cannot be shown
        found[trial.recipe] = layers_of(model, names)
        if hashes.get(trial.recipe, model.sha256) != model.sha256:
            del times[trial.recipe]  # taken of another file
    return found, NodeTimings(times, taken_on, why)


_UNTIMED = "they are taken when a study ends on the machine that it is for"


def _chosen(trials: Sequence[Trial], first: str) -> list[Trial]:
    """Trials with a model, the one of the recipe `first` in front, those of a search last."""
    made = [t for t in trials if t.recipe != FLOAT and t.model_file is not None and t.measurement is not None]
    return sorted(made, key=lambda t: (t.recipe != first, t.origin == "search"))[:MODELS]


def _inside(directory: Path, name: str) -> None:
    if not (directory / name).resolve().is_relative_to(directory.resolve()):
        raise StorageError(f"{name} lies outside of the study", expected=f"a file in {directory}")


def _layers(values: Mapping[str, Any]) -> Layers:
    tuples = ("shape", "inputs", "outputs")
    fields: list[dict[str, Any]] = [
        {k: tuple(v) if k in tuples else v for k, v in one.items()} for one in values["layers"]
    ]
    return Layers(tuple(Layer(**one) for one in fields), tuple(values["conversions"]))
