"""What recipes take beside ONNX Runtime's own quantizer: wall time, processor time, peak memory.

    python benchmarks/recipe_time.py --material MATERIAL                  # yolov8n, yolox_nano; two threads

Every recipe and `quantize_static` (MinMax, per channel, the decode tail excluded) is run in a process of its
own on the same images, all in turns, `--rounds` times; the figures of a recipe are its medians. Ratios are of
wall time to that of `quantize_static`, and of processor time, which other work on the machine disturbs less.
Bars on yolov8n: `int8` at most 2.5 times and 600 MB; `int4` at most 3 times, `mixed` at most 4 times `int8`.
Each child makes one recipe alone: what a study keeps for its other recipes is not in these figures.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from common import SUBJECTS, arguments, load, say, write
from fresh import own_child

import paredown
from paredown import data
from paredown.families.card_text import write_card
from paredown.hosts.memory import peak_resident_bytes

PEER = "ort-static-pc-minmax-tail"
RECIPES = ("int8", "int4", "mixed")
FIGURES = ("seconds", "cpu_s", "peak_bytes")


def main() -> int:
    """Exit code: 1 where a recipe failed. Measures every model, or as a child makes one recipe."""
    parser = arguments(__doc__, "recipe_time.json", ["yolov8n", "yolox_nano"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--card", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        print(json.dumps(_child(args)))
        return 0
    rows: list[dict[str, Any]] = []
    for name in args.models:
        rows += _compared(args, name)
        write(args.out, rows, args.threads, images=args.images, rounds=args.rounds)
    return int(any("error" in row for row in rows))


def _compared(args: argparse.Namespace, name: str) -> list[dict[str, Any]]:
    """A row for each recipe on one model, the peer's first."""
    recipes = (PEER, *args.recipes)
    runs: dict[str, list[dict[str, Any]]] = {recipe: [] for recipe in recipes}
    with tempfile.TemporaryDirectory(prefix="paredown-") as folder:
        card = Path(folder, "card.toml")
        write_card(load(args.material, name, args.images).card, card)
        for turn in range(args.rounds):
            for recipe in recipes:
                runs[recipe].append(own_child(args, name, recipe, card))
                say(f"{name}, round {turn + 1}, {recipe}: {runs[recipe][-1]}")
    rows = [{"model": name, "recipe": recipe, **_middle(runs[recipe])} for recipe in recipes]
    peer, int8 = rows[0], next((row for row in rows if row["recipe"] == "int8"), {})
    for row in rows:
        row["times_ort"], row["times_ort_cpu"] = _over(row, peer, "seconds"), _over(row, peer, "cpu_s")
        row["times_int8"], row["times_int8_cpu"] = _over(row, int8, "seconds"), _over(row, int8, "cpu_s")
        say(str(row))
    return rows


def _over(row: Mapping[str, Any], other: Mapping[str, Any], key: str) -> float | None:
    return round(row[key] / other[key], 3) if key in row and key in other else None


def _middle(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The medians of the runs, or the error of one."""
    if failed := next((run for run in runs if "error" in run), None):
        return dict(failed)
    return {key: median(run[key] for run in runs) for key in FIGURES} | {"runs": list(runs)}


def _child(args: argparse.Namespace) -> dict[str, Any]:
    """What one recipe took, from the model as loaded to what is checked by the runtime."""
    name = args.models[0]
    model = paredown.load(args.material / "models" / f"{name}.onnx", card=args.card)
    everything = data.read_dataset(str(args.material / "data" / SUBJECTS[name].calibration))
    images = data.sample(everything, args.images)
    wall, processor = time.perf_counter(), time.process_time()
    paredown.compress(model, args.work, images, threads=args.threads)
    seconds, cpu_s = time.perf_counter() - wall, time.process_time() - processor
    return {"seconds": seconds, "cpu_s": cpu_s, "peak_bytes": peak_resident_bytes()}


if __name__ == "__main__":
    sys.exit(main())
