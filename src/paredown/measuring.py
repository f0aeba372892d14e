"""The verbs that measure: one model on its target, or two models on the same images."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from paredown._compress.compress import RECIPE_KEY
from paredown._measure.compare import Comparison
from paredown._measure.compare import compare as compare_predictions
from paredown._measure.doctor import made_for_another
from paredown._measure.energy.power import PowerFrom
from paredown._measure.scope import Scope
from paredown._measure.timing.latency import without_baseline
from paredown.checking import checked
from paredown.differences import Pair, differing_pairs
from paredown.errors import UnknownName
from paredown.hosts import open_host
from paredown.inputs import ImagesLike, ModelLike, as_dataset, as_model
from paredown.loading import card_of, shown, with_card
from paredown.measurement import Doubt, Measurement
from paredown.metrics import kind_of
from paredown.model import Model
from paredown.protocols import Progress
from paredown.study.bench import TIMED, WHAT, Bench
from paredown.targets import target as find_target

__all__ = ["Compared", "compare", "measure"]


def require_measurable(what: Sequence[str]) -> None:
    """Nothing, or UnknownName for the first that is none of `WHAT`."""
    for name in what:
        if name not in WHAT:
            raise UnknownName("thing to measure", name, WHAT)


@checked
def measure(
    model: ModelLike,
    images: ImagesLike,
    *,
    baseline: ModelLike | None = None,
    target: str = "local",
    runtime: str = "",
    host: str = "local",
    accuracy_on: Literal["host", "here"] = "host",
    what: Sequence[str] = WHAT,
    threads: int = 0,
    power: PowerFrom | None = None,
    scope: Scope | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """Accuracy, latency, CPU use, memory and energy of the model, on the target that the host is.

    runtime: what opens the models, "" is the target's usual one. host: "local", "ssh:user@board".
    accuracy_on: where the models answer for their accuracy; "here" is quicker where the host is small.
    `baseline`: the float model; it gives the paired drop, the fidelity and the ratio of the latencies. Images
    without truth cannot do without it. scope: which answers of a detector count. power: where watts come
    from, by default the machine's own sensor; `absent` of the result says why there are none.
    """
    require_measurable(what)
    where, progress = find_target(target, open_host(host), runtime), shown(progress)
    where.version()  # a missing package is said before any work
    here, watts = accuracy_on == "here", power or PowerFrom()
    watts.require_log()
    if TIMED & set(what):
        where.require_timing()
    images = as_dataset(images, progress)
    model = with_card(model, images, progress)
    floats = None if baseline is None else as_model(baseline)
    scope = scope or Scope()
    card = scope.on(card_of(model))
    judged, chosen = scope.judged(images, card)
    bench = Bench(card, judged, where, threads, power=watts, answers_here=here, classes=chosen)
    measured = _measured(bench, model, floats, what, progress)
    warning = made_for_another(model.metadata, where.host.facts())
    if warning is not None and where.runs_here and where.runtime == "onnxruntime":
        doubt = Doubt("target", f"{warning.what}: {warning.why}")
        measured = replace(measured, doubts=(*measured.doubts, doubt))
    if baseline is not None:
        return measured
    own = tuple(q for q in measured.quantities if not kind_of(q.name).against_float)
    return replace(measured, quantities=own, doubts=without_baseline(measured.doubts))


def _measured(
    bench: Bench, model: Model, floats: Model | None, what: Sequence[str], progress: Progress
) -> Measurement:
    """What was asked for; without a float model, with the model beside itself."""
    predicted = reference = None
    if "map" in what:
        judges_itself = floats is None and RECIPE_KEY not in model.metadata
        predicted = (bench.ask_reference if judges_itself else bench.predict)(model, progress)
        reference = None if floats is None else bench.ask_reference(floats, progress).predictions
    judged = bench.judge(model, predicted, reference)
    with tempfile.TemporaryDirectory(prefix="paredown-") as folder:
        file, beside = Path(folder, "model.onnx"), Path(folder, "baseline.onnx")
        file.write_bytes(model.data)
        beside.write_bytes((floats or model).data)
        timed = bench.time(model, file, beside, progress, what=what)
    return bench.measurement(model, judged, timed)


@dataclass(frozen=True)
class Compared:
    """The paired statistics of two models, and the images on which they differ most."""

    statistics: Comparison
    pairs: tuple[Pair, ...]


@checked
def compare(
    a: ModelLike,
    b: ModelLike,
    images: ImagesLike,
    *,
    target: str = "local",
    threads: int = 0,
    scope: Scope | None = None,
    progress: Progress | None = None,
) -> Compared:
    """How b differs from a on the same images, and whether that could be chance. Both answer by a's card.

    scope: which answers of a detector count.
    """
    progress = shown(progress)
    images = as_dataset(images, progress)
    a = with_card(a, images, progress)
    scope = scope or Scope()
    card = scope.on(card_of(a))
    judged, chosen = scope.judged(images, card)
    bench = Bench(card, judged, find_target(target), threads, classes=chosen)
    ask = bench.predict if RECIPE_KEY in a.metadata else bench.ask_reference
    first = ask(a, progress).predictions
    second = bench.predict(as_model(b), progress).predictions
    statistics = compare_predictions(first, second, judged, card)
    return Compared(statistics, tuple(differing_pairs(judged, first, second, card)))
