"""How fast a pair can be at best, before its model is made: by a throw-away INT8 model in its place.

What a kernel takes does not depend on the numbers in it, so four images calibrate what is timed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from paredown import data
from paredown._compress.mixed.mix import Mixed
from paredown._compress.presets import parse_recipe
from paredown._compress.quantize.placement.timed import CLEARLY
from paredown._compress.quantize.static import Static
from paredown._compress.size import Size
from paredown._measure.timing.interleaved import TimingPlan
from paredown.measurement import Trial
from paredown.policy import HALVES
from paredown.study.pairs import Pair
from paredown.study.trial import make

QUICK = TimingPlan(min_runs=6, min_seconds=0.4, min_rounds=6, turn_s=0.05, warmup_s=0.2)
PROBE = "int8-minmax"  # the recipe of the throw-away model
PROBE_IMAGES = 4
SLACK = 0.75  # of the quicker of float and INT8 of a place: no choice layer by layer is faster than that
CHOOSING = 4  # times as long as the recipes made so far: what choosing layer by layer is likely to take
LIKE = 0.95  # of the throw-away model's time: what all other recipes of INT8 take, as far as few rounds tell


def quick_look(pair: Pair, float_file: Path) -> float:
    """What a throw-away INT8 model takes at the pair's place and size, of float's time."""
    sizes = tuple(s for s in pair.recipe.steps if isinstance(s, Size))
    recipe = replace(pair.recipe, steps=(*sizes, *parse_recipe(PROBE).steps))
    few = data.sample(pair.work.images.calibration, PROBE_IMAGES)
    work = pair.work.calibrated_on(few).sized_for(recipe)
    with TemporaryDirectory(prefix="paredown-") as folder:
        made = make(work, recipe, Path(folder))
        file = Path(folder, "model.onnx")
        file.write_bytes(made.model.data)
        timed = work.bench.time(made.model, file, float_file, what=("latency", "memory"), plan=QUICK)
    return next(q.value for q in timed.quantities if q.name == "latency_ratio")


def at_best(pair: Pair, integers: float, floats: float) -> float:
    """The least part of float's time that the pair may take. integers, floats: those of its place."""
    looks = _asks_clock(pair) and integers > LIKE * CLEARLY * floats
    return SLACK * min(integers, floats) if looks or _chooses(pair) else LIKE * integers


def likely_s(pair: Pair, trials: Sequence[Trial]) -> float:
    """Seconds that making the pair's model is likely to take: as elsewhere, or by what INT8 took."""
    took = [(t.recipe, float(t.seconds.get("compress", 0.0))) for t in trials if t.measurement is not None]
    alike = [seconds for recipe, seconds in took if recipe == pair.recipe.name]
    if alike or not _chooses(pair):
        return max(alike, default=0.0)
    return CHOOSING * max((seconds for _, seconds in took), default=0.0)


def promise(pair: Pair, pairs: Sequence[Pair], integers: float | None) -> tuple[int, bool, float]:
    """What decides the order, the least first: arithmetic in halves of a float, which is ready at once; INT8,
    in each place the first recipe before the others; what is chosen layer by layer, which takes long to make;
    and last what computes in float32, or is shown for comparison.

    integers: what INT8 takes in the pair's place, of float's time; None where that is not known.
    """
    kinds = {step.kind for step in pair.recipe.steps}
    computed = {HALVES[p] for p in pair.work.bench.target.policy.computed}
    stage = 0 if kinds & computed else 3 if not pair.in_integers else 2 if _chooses(pair) else 1
    alike = [p for p in pairs if p.place == pair.place and p.in_integers]
    return stage, pair not in alike[:1], 1.0 if integers is None else integers


def _chooses(pair: Pair) -> bool:
    """Whether its recipe chooses layer by layer what is computed in integers."""
    return any(isinstance(s, Mixed) for s in pair.recipe.steps)


def _asks_clock(pair: Pair) -> bool:
    """Whether its recipe leaves layers float that float computes faster, and can find out which."""
    timed = any(isinstance(s, Static) and s.timed for s in pair.recipe.steps)
    return timed and pair.work.bench.target.time_nodes() is not None
