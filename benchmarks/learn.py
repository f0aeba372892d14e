"""What learning brings: points lost with and without it, size, minutes.

    python benchmarks/learn.py --material MATERIAL                        # resumes where it was stopped
    python benchmarks/learn.py --models resnet20_cifar10 --images 300 --recipes w4a4-pc-mse-ends+gptq+qat

Each recipe is judged beside itself without its `qat` step. Labels are used to judge and never to learn.
Minutes are those that passed, core minutes what this process had of the processor.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from common import Loaded, arguments, first_line, load, read_rows, say, write

import paredown
from paredown.compress.presets import PRESETS
from paredown.errors import ParedownError
from paredown.measure.accuracy import headline
from paredown.model import Model

T = TypeVar("T")
RECIPES = ("int8-qat", "int4-qat", "w2a8-pc-mse-all+qat", "w4a4-pc-mse-ends+gptq+qat", "w1a4-pc-mse-ends+qat")


def main() -> int:
    """Exit code: 1 where a recipe failed, after all others were tried."""
    parser = arguments(__doc__, "learn.json", ["resnet20_cifar10", "yolox_nano", "yolov8n", "yolov5n"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--models-out", type=Path, help="folder for the models that were made")
    args = parser.parse_args()
    rows = read_rows(args.out)
    for name in args.models:
        subject = load(args.material, name, args.images, args.eval)
        done = {(row["model"], row["recipe"]) for row in rows}
        for recipe in [*args.recipes, *map(_plain, args.recipes), "float"]:
            if (name, recipe) not in done:
                rows.append({"model": name, "recipe": recipe, **_measure(args, subject, recipe)})
                done.add((name, recipe))
                say(f"{name}: {rows[-1]}")
                write(args.out, rows, args.threads)
    return int(any("error" in row for row in rows))


def telling(items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
    """The items; says what is done when it begins."""
    say(f"  {time.strftime('%H:%M:%S')} {what}")
    return items


def write_model(folder: Path | None, name: str, model: Model) -> None:
    """The file that was measured, where it is asked for."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.onnx").write_bytes(model.data)


def _plain(recipe: str) -> str:
    """The recipe without what it learns."""
    spelled = PRESETS[recipe][0] if recipe in PRESETS else recipe
    return "+".join(step for step in spelled.split("+") if not step.startswith("qat"))


def _measure(args: argparse.Namespace, subject: Loaded, recipe: str) -> dict[str, Any]:
    """Accuracy, size, minutes of compressing, and what the learning step said."""
    started, busy, told = time.perf_counter(), time.process_time(), ""
    model: Model = subject.model
    folder = args.out.parent / f"learning-{subject.name}"  # a run that was stopped goes on from there
    try:
        if recipe != "float":
            made = paredown.compress(
                model, recipe, subject.calibration, threads=args.threads, folder=folder, progress=telling
            )
            told = "; ".join(r.why for r in made.log if r.step.startswith("qat") and not r.where)
            model = made.model
            write_model(args.models_out, f"{subject.name}-{recipe}", model)
        minutes, computed_minutes = (time.perf_counter() - started) / 60, (time.process_time() - busy) / 60
        measured = paredown.measure(
            model, subject.judged, baseline=subject.model, what=("map", "latency"), threads=args.threads
        )
    except ParedownError as error:
        return {"error": first_line(error, args.material)}
    name = headline(subject.card.task, subject.judged.has_truth)
    lost = measured.get(f"{name}_drop")
    return {
        "metric": name,
        "accuracy": measured.value(name),
        "points_lost": None if lost is None else lost.value,
        "points_low": None if lost is None else lost.low,
        "points_high": None if lost is None else lost.high,
        "fidelity": measured.value(f"fidelity_{name}"),
        "size_bytes": model.size_bytes,
        "minutes": round(minutes, 2),
        "computed_minutes": round(computed_minutes, 2),
        "latency_ratio": measured.value("latency_ratio"),
        "doubts": list(measured.doubts),
        "learned": told,
        "images": len(subject.calibration),
        "judged": len(subject.judged),
    }


if __name__ == "__main__":
    sys.exit(main())
