"""Whether the search finds good recipes sooner than chance does: every recipe measured once, then replayed.

    python benchmarks/search.py                  # the demo's model and scenes; goes on where it was stopped
    python benchmarks/search.py --made-up        # a device whose table is a formula: no measuring

Each way of searching starts from the presets in the table, as a study does, and proposes one recipe after
the other; what it is told comes from the table. Judged by the hypervolume: the part of the box from nothing
lost, no time and no file to the limit, the float model's time and the float model's file that the recipes
found so far dominate, over what the whole table dominates.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import RESULTS, read_rows, say, write
from numpy.typing import NDArray

import paredown
from paredown import demo
from paredown._compress.presets import DEFAULT_RECIPES, parse_recipe
from paredown._measure.align import align
from paredown._measure.timing.interleaved import TimingPlan
from paredown._measure.timing.latency import measure_latency
from paredown.detections import Prediction
from paredown.device import Device
from paredown.model import Model
from paredown.runtimes.onnxruntime import policy
from paredown.sample import Dataset
from paredown.search.propose import Sampler, Tried, propose, tpe
from paredown.search.space import SCHEMES, SLOTS, Space, space_for
from paredown.study.bench import Bench
from paredown.targets import target

LIMIT = 1.0  # points that may be lost
DEMO_SPACE = Space(
    {scheme: SCHEMES[scheme] for scheme in ("int8", "int4", "dynamic", "stored-int8", "stored-codebook")},
    {**SLOTS, "ranges": ("-mse", "-minmax"), "layers": ("",), "bias": ("",), "codebook": ("",)},
)
SHORT = TimingPlan(min_runs=20, min_seconds=0.5, min_rounds=8, turn_s=0.03, warmup_s=0.2)
DRAWN = 10_000  # points of the box that are tried for the hypervolume

Table = dict[str, Tried]
Search = Callable[[Space, Sequence[Tried], int], str | None]


def main() -> int:
    """Exit code. Measures what the table lacks, then replays every way of searching."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="default: search.json or search_made_up.json in results/")
    parser.add_argument("--images", type=int, default=30, help="calibration images")
    parser.add_argument("--eval", type=int, default=120, help="images to judge on")
    parser.add_argument("--trials", type=int, default=30, help="recipes that each search proposes")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--made-up", action="store_true", help="replay a table that a formula fills")
    args = parser.parse_args()
    args.out = args.out or RESULTS / ("search_made_up.json" if args.made_up else "search.json")
    if args.made_up:
        space = space_for(policy(Device("made up", "")), [parse_recipe("mixed")])
        table = {name: _made_up(name) for name in space.names()}
        rows: list[dict[str, Any]] = []
    else:
        space, rows = DEMO_SPACE, read_rows(args.out)
        _measure_all(args, rows)
        table = {row["recipe"]: _tried(**row) for row in rows}
    replayed = _replay(space, table, args.trials, args.seeds)
    write(args.out, rows, 1, replay=replayed, trials=args.trials, seeds=args.seeds, made_up=args.made_up)
    return 0


def _measure_all(args: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    """Adds a row for every recipe of the space that has none yet."""
    judged, calibration = demo.evaluation_set(args.eval), demo.calibration_set(args.images)
    model = paredown.load(demo.model_path(), calibration)
    assert model.card is not None
    bench = Bench(model.card, align(judged, model.card)[0], target("local"), threads=1)
    reference = bench.predict(model).predictions
    done = {row["recipe"] for row in rows}
    left = [name for name in DEMO_SPACE.names() if name not in done]
    for i, name in enumerate(left):
        rows.append({"recipe": name, **_measure(model, name, calibration, bench, reference)})
        say(f"[{i + 1}/{len(left)}] {rows[-1]}")
        write(args.out, rows, 1)


def _measure(
    model: Model, name: str, calibration: Dataset, bench: Bench, reference: list[Prediction]
) -> dict[str, Any]:
    """Points lost, latency over the float model's, size over its size."""
    made = paredown.compress(model, name, calibration, threads=1).model
    with tempfile.TemporaryDirectory(prefix="paredown-") as folder:
        files = Path(folder, "small.onnx"), Path(folder, "float.onnx")
        files[0].write_bytes(made.data)
        files[1].write_bytes(model.data)
        measured = bench.measurement(made, bench.judge(made, bench.predict(made), reference))
        timed = measure_latency(*files, bench.target, bench.feeds(model), threads=1, plan=SHORT)[0]
    ratio = next(q.value for q in timed if q.name == "latency_ratio")
    return {
        "lost": measured.value("map50_95_drop"),
        "ratio": ratio,
        "size": made.size_bytes / model.size_bytes,
    }


def _tried(recipe: str, lost: float, ratio: float, size: float) -> Tried:
    return Tried(recipe, (lost, size, ratio), max(lost - LIMIT, 0.0))


def _made_up(name: str) -> Tried:
    """A device where 8 bits are fast, 4 small, 2 useless, and ranges matter; with noise as of 200 images."""
    noise = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(2)
    if "a8" in name:
        costs = [("-pt", 0.3), ("minmax", 0.3), ("ema", 0.5), ("percentile", 1.5), ("entropy", 2.0)]
        costs += [("guard", -0.15), ("cle", -0.05), ("bc", -0.05), ("cluster", 1.5), ("-all", 2.0)]
        costs += [("w2", 20.0), ("w4", 1.0), ("w4", 0.5 * ("-pt" in name)), ("w4", -0.6 * ("gptq" in name))]
        lost = 0.3 + sum(points for word, points in costs if word in name)
        size = 0.18 if "cluster" in name else 0.15 if "w2" in name else 0.19 if "w4" in name else 0.28
        ratio = 0.6
    elif "mix" in name:
        lost, ratio, size = 0.1, 0.75, 0.25
    elif "dynamic" in name:
        lost, ratio, size = 0.1, 3.0, 0.28
    else:
        lost, ratio, size = (3.0, 1.0, 0.18) if "cluster" in name else (-0.05, 1.0, 0.28)
    return _tried(name, lost + 0.15 * noise[0], ratio * (1 + 0.04 * noise[1]), size)


def _replay(space: Space, table: Table, trials: int, seeds: int) -> dict[str, dict[int, float]]:
    """Way of searching -> after how many proposals -> mean hypervolume over the seeds."""
    presets = [name for preset in DEFAULT_RECIPES if (name := parse_recipe(preset).name) in table]
    ways: dict[str, Search] = {
        "chance": _by_chance,
        "NSGA-II, population 10": _by(
            lambda o, seed: o.samplers.NSGAIISampler(population_size=10, seed=seed)
        ),
        "TPE as Optuna sets it": _by(lambda o, seed: o.samplers.TPESampler(seed=seed)),
        "TPE as --search sets it": _by(tpe),
    }
    drawn = np.random.default_rng(0).random((DRAWN, 3)) * (LIMIT, 1.0, 1.0)
    whole = _volume(table.values(), drawn)
    shown = [n for n in (0, 5, 10, 15, 20, 30, 50) if n <= trials]
    found: dict[str, dict[int, float]] = {}
    for way, proposed in ways.items():
        runs = [_run(space, table, presets, proposed, trials, seed) for seed in range(seeds)]
        means = {n: np.mean([_volume(r[: len(presets) + n], drawn) for r in runs]) / whole for n in shown}
        found[way] = {n: round(float(mean), 3) for n, mean in means.items()}
        say(f"{way:26} " + "  ".join(f"{n}: {volume:.3f}" for n, volume in found[way].items()))
    return found


def _run(
    space: Space, table: Table, presets: Sequence[str], proposed: Search, trials: int, seed: int
) -> list[Tried]:
    """The presets, then what was proposed, in order."""
    tried = [table[name] for name in presets]
    for _ in range(trials):
        if (name := proposed(space, tried, seed)) is not None:
            tried.append(table[name])
    return tried


def _by(sampler: Sampler) -> Search:
    """The way of searching by one of Optuna's samplers."""

    def proposed(space: Space, tried: Sequence[Tried], seed: int) -> str | None:
        recipe = propose(space, tried, seed, sampler)
        return None if recipe is None else recipe.name

    return proposed


def _by_chance(space: Space, tried: Sequence[Tried], seed: int) -> str | None:
    """A scheme, then a word for each slot, until the recipe is new."""
    random = np.random.default_rng([seed, len(tried)])
    known = {t.recipe for t in tried}
    for _ in range(1000):
        name = space.spell(lambda slot, words: words[random.integers(len(words))])
        if name not in known:
            return name
    return None


def _volume(tried: Iterable[Tried], drawn: NDArray[np.float64]) -> float:
    """Share of the drawn points of the box that the trials within the limit dominate. A gain is no loss."""
    hit = np.zeros(len(drawn), bool)
    for t in tried:
        if t.over == 0:
            lost, size, ratio = t.costs
            hit |= ((max(lost, 0.0), size, ratio) <= drawn).all(1)
    return float(hit.mean())


if __name__ == "__main__":
    sys.exit(main())
