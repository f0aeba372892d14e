"""`--sizes auto`: the smallest input size that keeps the limit on accuracy, found by halving.

A smaller input finds less, so the sizes that keep the limit are taken to be the larger ones: of n sizes
log2(n) are judged. First with the float model, which no recipe beats; then, where a recipe is the best at the
model's own size and breaks the limit at that smallest one, with that recipe between the two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic
from typing import NamedTuple

from paredown._compress.recipe import Recipe
from paredown._compress.size import STRIDE, Size
from paredown.analyze.against_float import FLOAT, accuracy_of, baseline_of, is_unjudged, points_lost, rounded
from paredown.detections import Prediction
from paredown.errors import UnsupportedModel, UsageError
from paredown.graph.input_size import size_of
from paredown.measurement import Trial
from paredown.study.best import choose_best
from paredown.study.choices import OUT_OF_TIME
from paredown.study.limits import Limits
from paredown.study.options import Options
from paredown.study.pairs import Pair, sized_label
from paredown.study.resume import kept_before
from paredown.study.store import Store
from paredown.study.trials import attempt, result_line
from paredown.study.work import Work

FLOOR = 128  # pixels: below, nothing is left to see; of a small model half its own size
UNTRIED = " before all smaller ones were tried"


def check_auto(options: Options, limits: Limits) -> None:
    """Nothing, or UsageError where sizes are to be found and nothing says which are good enough."""
    if options.auto_size and limits.max_drop is None and limits.min_agreement is None:
        raise UsageError(
            "the smallest size that is good enough cannot be found",
            got="--sizes auto without a limit",
            expected="--max-drop P, or --min-agreement P where the images have no truth",
        )


def candidates(own: int) -> tuple[int, ...]:
    """Sizes below the model's own, the smallest first."""
    least = math.ceil(min(FLOOR, own / 2) / STRIDE) * STRIDE
    return tuple(range(least, own, STRIDE))


def halve(sizes: Sequence[int], keeps: Callable[[int], bool | None]) -> int | None:
    """The smallest of the ascending sizes that keeps the limit, as all larger ones do; None where none does.

    keeps: None for a size that the model cannot have, which is left aside.
    """
    left = list(sizes)
    low, high = 0, len(left)  # below low none keeps it, from high on all do
    while low < high:
        middle = (low + high) // 2
        found = keeps(left[middle])
        if found is None:
            del left[middle]
            high -= 1
        elif found:
            high = middle
        else:
            low = middle + 1
    return left[high] if high < len(left) else None


class Smallest(NamedTuple):
    """pixels: the smallest size that was found to keep the limit, None where none was. untried: what came in
    between, so that a smaller one might, "" where nothing did."""

    pixels: int | None
    untried: str


def smallest_size(
    pair: Pair,
    sizes: Sequence[int],
    store: Store,
    reference: list[Prediction],
    limits: Limits,
    deadline: float | None,
) -> Smallest:
    """The smallest of the sizes at which the pair's recipe keeps the limit in its place, each a trial in the
    store. pair: at the model's own size."""
    untried = []

    def keeps(pixels: int) -> bool | None:
        why = OUT_OF_TIME if deadline is not None and monotonic() > deadline else ""
        sized = at_pixels(pair, pixels)
        trial = None if why else _trial(sized, store, reference)
        if trial is not None and trial.error is not None:
            if not _possible(sized):
                return None
            why = f"{trial.label} failed"
        if trial is not None and not why:
            return _keeps(trial, store, limits)
        pair.work.say(f"{pixels} pixels are not known to keep the limit: {why}")
        untried.append(why)
        return False

    return Smallest(halve(sizes, keeps), next(iter(untried), ""))


def own_side(work: Work) -> int:
    """The longer side of the model's own input."""
    return max(size_of(work.prepared))


def at_pixels(pair: Pair, pixels: int) -> Pair:
    """The same recipe in the same place at another input size."""
    recipe = Recipe((Size(pixels), *pair.recipe.steps))
    return replace(pair, recipe=recipe, label=sized_label(pair.label, pixels))


def _possible(pair: Pair) -> bool:
    """Whether the graph can have the pair's input size: a trial at it may fail for another reason."""
    try:
        pair.work.sized_for(pair.recipe)
    except UnsupportedModel:
        return False
    return True


def _trial(pair: Pair, store: Store, reference: list[Prediction]) -> Trial:
    done = kept_before(pair, store)
    if done is not None and accuracy_of(done) is not None:
        pair.work.say(f"{pair.label}: measured before, kept")
        return done
    pair.work.say(f"{pair.label}, halving the way to the smallest size")
    trial = attempt(pair.work, store, pair.label, pair.recipe, reference)
    store.append(trial)
    pair.work.say(f"    {result_line(trial, store)}")
    return trial


def _keeps(trial: Trial, store: Store, limits: Limits) -> bool:
    lost, accuracy = points_lost(trial, baseline_of(store.trials())), accuracy_of(trial)
    return lost is not None and accuracy is not None and rounded(lost.value) <= limits.allowed(accuracy.name)


def with_smaller(
    work: Work,
    pairs: Sequence[Pair],
    store: Store,
    reference: list[Prediction],
    limits: Limits,
    deadline: float | None,
) -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    """The pairs, and once more at the smallest size at which float keeps the limit; a note on it."""
    floats, own = Pair(work, Recipe(), FLOAT), own_side(work)
    found, untried = smallest_size(floats, candidates(own), store, reference, limits, deadline)
    if found is None:
        note = f"no input size below the model's own {own} keeps the limit"
        if untried:
            note = f"{untried} before an input size below the model's own {own} was found to keep the limit"
        work.say(note)
        return tuple(pairs), (note,)
    note = f"the float model keeps the limit down to an input of {found} pixels (its own: {own})"
    note += f"; {untried}{UNTRIED}" if untried else ""
    work.say(note)
    return (*pairs, *(at_pixels(p, found) for p in (floats, *pairs))), (note,)


def shrink_best(
    pairs: Sequence[Pair],
    store: Store,
    reference: list[Prediction],
    limits: Limits,
    deadline: float | None,
) -> tuple[str, ...]:
    """Halves the way to the smallest size of the recipe that is best at the model's own size, where it breaks
    the limit at the one found for float; a note on what was found."""
    smaller = max((p.pixels for p in pairs), default=0)
    own = {(p.recipe.name, p.runtime): p for p in pairs if not p.pixels}
    trials = store.trials()
    baseline = baseline_of(trials)
    at_own = [t for t in trials if (t.recipe, t.runtime) in own or (baseline and t.key == baseline.key)]
    best = choose_best(at_own, limits).best
    pair = own.get((best.recipe, best.runtime))
    if not smaller or pair is None:
        return ()
    small = kept_before(at_pixels(pair, smaller), store)
    if small is not None and (is_unjudged(small) or _keeps(small, store, limits)):
        return ()
    between = range(smaller + STRIDE, own_side(pair.work), STRIDE)
    found, untried = smallest_size(pair, between, store, reference, limits, deadline)
    note = f"{pair.label} keeps the limit down to an input of {found or own_side(pair.work)} pixels"
    note += f"; {untried}{UNTRIED}" if untried else ""
    pair.work.say(note)
    return (note,)
