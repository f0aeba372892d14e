"""Whether the search finds good recipes sooner than chance does: every recipe measured once, then replayed.

    python benchmarks/search.py                  # the demo's model and scenes; goes on where it was stopped
    python benchmarks/search.py --no-measuring   # replays the table as it stands in the results

Each way of searching starts from the presets in the table, as a study does, and proposes one recipe after
the other; what it is told comes from the table. Judged by the hypervolume: the part of the box from nothing
lost, no time and no file to the limit, the float model's time and the float model's file that the recipes
found so far dominate, over what the whole table dominates.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import RESULTS, read_rows, say, write
from numpy.typing import NDArray

import paredown
from paredown import demo
from paredown.compress.presets import DEFAULT_RECIPES, parse_recipe
from paredown.detections import Prediction
from paredown.measure.align import align
from paredown.measure.latency import Plan, measure_latency
from paredown.model import Model
from paredown.sample import Dataset
from paredown.search.propose import Sampler, Tried, propose, tpe
from paredown.search.space import SCHEMES, SLOTS, Space
from paredown.study.bench import Bench
from paredown.targets import target

LIMIT = 1.0  # points that may be lost
SPACE = Space(
    {scheme: SCHEMES[scheme] for scheme in ("int8", "int4", "dynamic", "stored-int8", "stored-codebook")},
    {**SLOTS, "ranges": ("-mse", "-minmax"), "layers": ("",), "bias": ("",), "codebook": ("",)},
)
SHORT = Plan(min_runs=20, min_seconds=0.5, min_rounds=8, turn_s=0.03, warmup_s=0.2)
DRAWN = 20_000  # points of the box that are tried for the hypervolume

Table = dict[str, Tried]
Search = Callable[[Sequence[Tried], int], str | None]


def main() -> int:
    """Exit code. Measures what the table lacks, then replays every way of searching."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS / "search.json")
    parser.add_argument("--images", type=int, default=30, help="calibration images")
    parser.add_argument("--eval", type=int, default=120, help="images to judge on")
    parser.add_argument("--trials", type=int, default=30, help="recipes that each search proposes")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--no-measuring", action="store_true", help="replay the table as it is")
    args = parser.parse_args()
    rows = read_rows(args.out)
    if not args.no_measuring:
        _measure_all(args, rows)
    replayed = _replay(_table(rows), args.trials, args.seeds)
    write(args.out, rows, 1, replay=replayed, trials=args.trials, seeds=args.seeds, judged=args.eval)
    for name, found in replayed.items():
        say(f"{name:26} " + "  ".join(f"{n}: {volume:.3f}" for n, volume in found.items()))
    return 0


def _measure_all(args: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    """Adds a row for every recipe of the space that has none yet."""
    judged, calibration = demo.evaluation_set(args.eval), demo.calibration_set(args.images)
    model = paredown.load(demo.model_path(), calibration)
    assert model.card is not None
    bench = Bench(model.card, align(judged, model.card)[0], target("local"), threads=1)
    reference = bench.predict(model).predictions
    done = {row["recipe"] for row in rows}
    left = [name for name in SPACE.names() if name not in done]
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
        measured, _ = bench.measure(made, *files, bench.predict(made), reference, what=("map",))
        timed = measure_latency(*files, bench.target, bench.feeds(model), threads=1, plan=SHORT)[0]
    ratio = next(q.value for q in timed if q.name == "latency_ratio")
    return {
        "lost": measured.value("map50_95_drop"),
        "ratio": ratio,
        "size": made.size_bytes / model.size_bytes,
    }


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    return {
        row["recipe"]: Tried(
            row["recipe"], (row["lost"], row["ratio"], row["size"]), max(row["lost"] - LIMIT, 0)
        )
        for row in rows
    }


def _replay(table: Table, trials: int, seeds: int) -> dict[str, dict[int, float]]:
    """Way of searching -> after how many proposals -> mean hypervolume over the seeds."""
    presets = [name for preset in DEFAULT_RECIPES if (name := parse_recipe(preset).name) in table]
    whole = _volume(table.values())
    ways: dict[str, Search] = {
        "chance": _by_chance,
        "NSGA-II, population 10": _by(
            lambda optuna, seed: optuna.samplers.NSGAIISampler(population_size=10, seed=seed)
        ),
        "TPE as Optuna sets it": _by(lambda optuna, seed: optuna.samplers.TPESampler(seed=seed)),
        "TPE as `--search` sets it": _by(tpe),
    }
    volumes = {way: np.zeros((seeds, trials + 1)) for way in ways}
    for way, proposed in ways.items():
        for seed in range(seeds):
            tried = [table[name] for name in presets]
            for n in range(trials + 1):
                volumes[way][seed, n] = _volume(tried) / whole
                name = proposed(tried, seed)
                if name is not None:
                    tried.append(table[name])
    shown = [n for n in (0, 5, 10, 15, 20, 30, 50) if n <= trials]
    return {way: {n: round(float(v[:, n].mean()), 4) for n in shown} for way, v in volumes.items()}


def _by(sampler: Sampler) -> Search:
    """The way of searching by one of Optuna's samplers."""

    def proposed(tried: Sequence[Tried], seed: int) -> str | None:
        recipe = propose(SPACE, tried, seed, sampler)
        return None if recipe is None else recipe.name

    return proposed


def _by_chance(tried: Sequence[Tried], seed: int) -> str | None:
    """A scheme, then a word for each slot, until the recipe is new."""
    random = np.random.default_rng([seed, len(tried)])
    known = {t.recipe for t in tried}
    for _ in range(1000):
        name = SPACE.spell(lambda slot, words: words[random.integers(len(words))])
        if name not in known:
            return name
    return None


def _volume(tried: Any) -> float:
    """Share of the box that the trials within the limit dominate, by drawn points. A gain is no loss."""
    points: NDArray[np.float64] = np.random.default_rng(0).random((DRAWN, 3)) * (LIMIT, 1.0, 1.0)
    hit = np.zeros(DRAWN, bool)
    for t in tried:
        if t.over == 0:
            hit |= (np.array([max(t.costs[0], 0.0), *t.costs[1:]]) <= points).all(1)
    return float(hit.mean())


if __name__ == "__main__":
    sys.exit(main())
