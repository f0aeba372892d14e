"""What structured pruning costs and brings: MACs, points lost, latency, minutes, with and without recovery.

    python benchmarks/prune.py --material MATERIAL                        # resumes where it was stopped
    python benchmarks/prune.py --models resnet20_cifar10 --recipes prune40-l1 prune40-taylor

All calibration images are learned from, without their labels; the others judge. Minutes are those of the
clock and those that all threads together computed: on a busy machine the clock runs ahead.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from common import Loaded, arguments, first_line, load, read_rows, say, write

import paredown
from paredown.compress.recipe import Compressed
from paredown.errors import ParedownError
from paredown.measure.accuracy import headline
from paredown.model import Model

RECIPES = {
    "resnet20_cifar10": (
        "prune40-l1",
        "prune40-taylor",
        "prune45-taylor",
        "prune45-taylor+distill-steps4000-minutes28-rate0.008",
    ),
    "yolov5n": ("prune25-taylor", "prune25-taylor+distill-steps1500-minutes30"),
}
IMAGES = 300  # more than any calibration set of the material has: all are used


def main() -> int:
    """Exit code: 1 where a recipe failed, after all others were tried."""
    parser = arguments(__doc__, "prune.json", list(RECIPES))
    parser.set_defaults(images=IMAGES)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--recipes", nargs="+", help="default: those of the model")
    parser.add_argument("--work", type=Path, help="folder for what was made, and for trainings to go on from")
    args = parser.parse_args()
    rows = read_rows(args.out)
    for name in args.models:
        subject = load(args.material, name, args.images, args.eval)
        done = {(row["model"], row["recipe"]) for row in rows}
        for recipe in ["float", *(args.recipes or RECIPES.get(name, ("prune30-taylor",)))]:
            if (name, recipe) not in done:
                rows.append({"model": name, "recipe": recipe, **_measure(args, subject, recipe)})
                say(f"{name}: {rows[-1]}")
                write(args.out, rows, args.threads)
    return int(any("error" in row for row in rows))


def _measure(args: argparse.Namespace, subject: Loaded, recipe: str) -> dict[str, Any]:
    """One row: the recipe made, judged and timed beside the float model."""
    model, made = subject.model, None
    started, busy = time.perf_counter(), time.process_time()
    if args.work is not None:
        args.work.mkdir(parents=True, exist_ok=True)
    try:
        if recipe != "float":
            made = paredown.compress(
                model, recipe, subject.calibration, threads=args.threads, folder=args.work
            )
            model = made.model
        taken = {
            "minutes": round((time.perf_counter() - started) / 60, 2),
            "computed_minutes": round((time.process_time() - busy) / 60, 2),
        }
        _keep(args.work, subject.name, recipe, model)
        measured = paredown.measure(
            model, subject.judged, baseline=subject.model, what=("map", "latency"), threads=args.threads
        )
    except ParedownError as error:
        return {"error": first_line(error, args.material)}
    name = headline(subject.card.task, subject.judged.has_truth)
    drop, ratio = measured.get(f"{name}_drop"), measured.get("latency_ratio")
    return {
        "metric": name,
        "accuracy": measured.value(name),
        "points_lost": None if drop is None else drop.value,
        "points_low": None if drop is None else drop.low,
        "points_high": None if drop is None else drop.high,
        "macs": paredown.inspect(model).macs,
        "size_bytes": model.size_bytes,
        "latency_s": measured.value("latency_s"),
        "latency_ratio": None if ratio is None else ratio.value,
        "ratio_low": None if ratio is None else ratio.low,
        "ratio_high": None if ratio is None else ratio.high,
        "doubts": list(measured.doubts),
        **taken,
        "learned": _learned(made),
        "images": len(subject.calibration),
        "judged": len(subject.judged),
    }


def _keep(work: Path | None, name: str, recipe: str, model: Model) -> None:
    if work is not None:
        (work / f"{name}-{recipe}.onnx").write_bytes(model.data)


def _learned(made: Compressed | None) -> str:
    """What the learning step said."""
    log = () if made is None else made.log
    return "; ".join(r.why for r in log if r.step.startswith("distill") and not r.where)


if __name__ == "__main__":
    sys.exit(main())
