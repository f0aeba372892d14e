"""What keeping a limit on the drop costs: `int8` beside `mixed`, judged on images that chose nothing.

    python benchmarks/mixed.py --material MATERIAL                     # resumes where it was stopped
    python benchmarks/mixed.py --models yolov5n --max-drop 0.3

Ranges come from 100 images of the calibration set; `mixed` chooses on the others of that set. Both are judged
and timed on the evaluation set.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from typing import Any

from common import SUBJECTS, arguments, first_line, load, read_rows, say, write

import paredown
from paredown import data
from paredown.errors import ParedownError
from paredown.measurement import Measurement, StepRecord
from paredown.metrics import headline
from paredown.sample import Dataset
from paredown.study.limits import Limits

MODELS = (
    "nanodet_m_320",
    "yolov5n",
    "resnet20_cifar10",
    "squeezenet1_1",
    "yolo_fastest_1_1_xl",
    "yolox_nano",
    "nanodet_m_416",
    "yolov8n",
)
RECIPES = ("int8", "mixed")


def main() -> int:
    """Exit code: 1 where a recipe failed or a limit was not kept, after all others were tried."""
    parser = arguments(__doc__, "mixed.json", list(MODELS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--max-drop", type=float, default=0.5)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    args = parser.parse_args()
    rows = [r for r in read_rows(args.out) if r["max_drop"] == args.max_drop]
    for name in args.models:
        for recipe in args.recipes:
            if not any((r["model"], r["recipe"]) == (name, recipe) for r in rows):
                rows.append({"model": name, "recipe": recipe, **_measure(args, name, recipe)})
                say(str({k: v for k, v in rows[-1].items() if k != "log"}))
                write(args.out, rows, args.threads, max_drop=args.max_drop)
    kept = [r.get("points_lost") for r in rows if r["recipe"] == "mixed"]
    return int(any(p is None or float(str(p)) > args.max_drop for p in kept))


def _measure(args: argparse.Namespace, name: str, recipe: str) -> dict[str, Any]:
    """Points lost, size, latency against float, seconds, and what was chosen."""
    subject = load(args.material, name, args.images, args.eval)
    given = paredown.read_dataset(str(args.material / "data" / SUBJECTS[name].calibration))
    started = time.perf_counter()
    row: dict[str, Any] = {"max_drop": args.max_drop, "images": len(subject.calibration)}
    try:
        made = paredown.compress(
            subject.model,
            recipe,
            subject.calibration,
            limits=Limits(max_drop=args.max_drop),
            choose_on=_others(given, subject.calibration),
            threads=args.threads,
        )
        row["seconds"] = round(time.perf_counter() - started, 1)
        measured = paredown.measure(made.model, subject.judged, baseline=subject.model, threads=args.threads)
    except ParedownError as error:
        return {**row, "error": first_line(error, args.material)}
    metric = headline(subject.card.task, subject.judged.has_truth)
    return {
        **row,
        "spelled": made.recipe.name,
        "judged": len(subject.judged),
        "size_bytes": made.model.size_bytes,
        "float_size_bytes": subject.model.size_bytes,
        **_figures(measured, metric),
        **_chosen(made.log),
    }


def _others(given: Dataset, calibration: Dataset) -> Dataset:
    return data.without(given, calibration)


def _figures(measured: Measurement, metric: str) -> dict[str, Any]:
    """The metric, the points lost and the latency, each with its interval."""
    lost, ratio = measured.get(f"{metric}_drop"), measured.get("latency_ratio")
    assert lost is not None  # a baseline was given
    assert ratio is not None
    return {
        "metric": metric,
        "accuracy": measured.value(metric),
        "points_lost": lost.value,
        "points_low": lost.low,
        "points_high": lost.high,
        "latency_s": measured.value("latency_s"),
        "latency_ratio": ratio.value,
        "latency_low": ratio.low,
        "latency_high": ratio.high,
        "doubts": [d.text for d in measured.doubts],
    }


def _chosen(log: tuple[StepRecord, ...]) -> dict[str, Any]:
    """How many layers became what, the estimates, and every candidate that was judged."""
    notes = [r.data for r in log if not r.where and r.step.startswith("mix")]
    if not notes:
        return {}
    first: Mapping[str, Any] = notes[0]
    return {**first, "judged_candidates": [dict(n) for n in notes[1:]]}


if __name__ == "__main__":
    sys.exit(main())
