"""Seconds and peak memory of calibration, and of the whole `int8` recipe, each in a fresh process.

    python benchmarks/calibration.py --material MATERIAL                  # yolov8n, 100 images, two threads

Images are read and preprocessed inside the timed part, as they are in use; the model's card is found
before. Bars: at most 20 s and 700 MB for the pass on yolov8n. The ranges of every method come from the same
pass, so each method's own seconds are given behind it. `settling` says how far ranges from a part of the
kept sample lie from those of all of it: what the size of the sample is worth.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import SUBJECTS, arguments, load, say, write
from fresh import own_child

import paredown
from paredown import data
from paredown._compress.quantize.placement.plan import place
from paredown._compress.quantize.ranges.calibrate import calibrate
from paredown.families.card_text import write_card
from paredown.graph.prepare import prepare
from paredown.graph.walk import to_ir
from paredown.hosts.memory import peak_resident_bytes
from paredown.model import Model
from paredown.numerics.ranges import METHODS, Seen
from paredown.sample import Dataset
from paredown.study.bench import FedImages
from paredown.targets import target

PARTS = (2, 4, 8, 16)  # the sample is thinned by these


def main() -> int:
    """Exit code. Measures every model, or as a child does one piece of work."""
    parser = arguments(__doc__, "calibration.json", ["yolov8n"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--card", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        print(json.dumps(_child(args)))
        return 0
    rows = []
    for name in args.models:
        loaded = load(args.material, name, args.images)
        with tempfile.TemporaryDirectory(prefix="paredown-") as folder:
            card = Path(folder, "card.toml")
            write_card(loaded.card, card)
            for work in WORK:
                say(f"{name}: {work}")
                rows.append({"model": name, "work": work, **own_child(args, name, work, card)})
    write(args.out, rows, args.threads, images=args.images)
    return 0


def _child(args: argparse.Namespace) -> dict[str, Any]:
    """What one piece of work took. The images are not verified first: that is not what is timed."""
    name = args.models[0]
    model = paredown.load(args.material / "models" / f"{name}.onnx", card=args.card)
    everything = data.read_dataset(str(args.material / "data" / SUBJECTS[name].calibration))
    return WORK[args.work](model, data.sample(everything, args.images), args.threads)


def calibration_pass(model: Model, images: Dataset, threads: int) -> dict[str, Any]:
    """The pass that keeps what every range method needs, then the methods one by one."""
    assert model.card is not None
    prepared = prepare(model, model.card.preprocess.size)
    plan = place(to_ir(prepared).graph, target("local").policy, ())
    started = time.perf_counter()
    seen = calibrate(
        prepared, sorted(plan.group), FedImages(images, model.card, prepared.inputs), threads=threads
    )
    seconds = time.perf_counter() - started
    peak = peak_resident_bytes()
    ranges_s = {}
    for method in METHODS:
        started = time.perf_counter()
        for one in seen.values():
            METHODS[method](one)
        ranges_s[method] = time.perf_counter() - started
    shown = {
        "images": len(images),
        "tensors": len(plan.group),
        "ranges_s": ranges_s,
        "settling": settling(seen),
    }
    return {"seconds": seconds, "peak_bytes": peak, **shown}


def whole_recipe(model: Model, images: Dataset, threads: int) -> dict[str, Any]:
    """From the model as loaded to the INT8 model, checked by the runtime."""
    started = time.perf_counter()
    made = paredown.compress(model, "int8", images, threads=threads)
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "peak_bytes": peak_resident_bytes(),
        "images": len(images),
        "recipe": made.recipe.name,
    }


def settling(seen: dict[str, Seen]) -> list[dict[str, Any]]:
    """For each part of the sample: how far its MSE ranges lie from the whole's, in parts of their width."""
    whole = {name: METHODS["mse"](s) for name, s in seen.items()}
    values = max(len(s.sample) for s in seen.values())
    rows = []
    for part in PARTS:
        moved = []
        for name, s in seen.items():
            low, high = METHODS["mse"](replace(s, sample=s.sample[::part], channel=s.channel[::part]))
            width = max(whole[name][1] - whole[name][0], 1e-12)
            moved.append((abs(low - whole[name][0]) + abs(high - whole[name][1])) / width)
        median, p95 = np.quantile(moved, [0.5, 0.95])
        rows.append({"values": values // part, "median": float(median), "p95": float(p95)})
    return rows


WORK = {"calibration pass": calibration_pass, "int8 recipe": whole_recipe}


if __name__ == "__main__":
    sys.exit(main())
