"""Rows of the benchmarks of steps that learn, prune and pack: a recipe made, judged and timed beside FP32."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from common import Loaded, arguments, first_line, load, read_rows, say, write

import paredown
from paredown._compress.presets import parse_recipe
from paredown.errors import ParedownError
from paredown.metrics import headline
from paredown.model import Model

T = TypeVar("T")
More = Callable[[Model, Model], dict[str, Any]]
ALL = 500  # images, more than any calibration set of the material has


def parser(doc: str | None, results: str, models: Iterable[str]) -> argparse.ArgumentParser:
    """The command line they share. All calibration images are learned from, without their labels."""
    made = arguments(doc, results, list(models))
    made.set_defaults(images=ALL)
    made.add_argument("--threads", type=int, default=1)
    made.add_argument("--recipes", nargs="+", help="default: those of the model")
    made.add_argument("--learn-from", help="unlabelled images to learn from, in data/ of the material")
    made.add_argument("--work", type=Path, help="folder for what was made, and for trainings to go on from")
    return made


def make_rows(
    args: argparse.Namespace, recipes: Mapping[str, Iterable[str]], more: More = lambda made, source: {}
) -> int:
    """Writes a row for every model and recipe that has none yet; 1 where a recipe failed, else 0.

    recipes: by model. more: further figures of what was made, beside its source.
    """
    rows = read_rows(args.out)
    for name in args.models:
        subject = load(args.material, name, args.images, args.eval)
        done = {(row["model"], row["recipe"], row.get("learned_from")) for row in rows}
        for recipe in dict.fromkeys(["float", *(args.recipes or recipes[name])]):
            if (name, recipe, _learned_from(args, recipe)) not in done:
                rows.append({"model": name, "recipe": recipe, **_measured(args, subject, recipe, more)})
                say(f"{name}: {rows[-1]}")
                write(args.out, rows, args.threads)
    return int(any("error" in row for row in rows))


def _measured(args: argparse.Namespace, subject: Loaded, recipe: str, more: More) -> dict[str, Any]:
    """Accuracy, size, latency, and minutes: of the clock, and those that all threads together computed."""
    model, learned, data = subject.model, "", args.material / "data"
    unlabelled = _learned_from(args, recipe)
    if args.work is not None:
        args.work.mkdir(parents=True, exist_ok=True)
    started, busy = time.perf_counter(), time.process_time()
    try:
        if recipe != "float":
            made = paredown.compress(
                model,
                recipe,
                subject.calibration,
                threads=args.threads,
                folder=args.work,
                learn_from=None if unlabelled is None else paredown.read_dataset(str(data / unlabelled)),
                progress=_logged,
            )
            model = made.model
            learned = "; ".join(r.why for r in made.log if "steps, stopped by" in r.why)
        minutes, computed = (time.perf_counter() - started) / 60, (time.process_time() - busy) / 60
        if args.work is not None:
            (args.work / f"{subject.name}-{recipe}.onnx").write_bytes(model.data)
        measured = paredown.measure(
            model, subject.judged, baseline=subject.model, what=("map", "latency"), threads=args.threads
        )
    except ParedownError as error:
        return {"error": first_line(error, args.material)}
    metric = headline(subject.card.task, subject.judged.has_truth)
    lost, ratio = measured.get(f"{metric}_drop"), measured.get("latency_ratio")
    return {
        "metric": metric,
        "accuracy": measured.value(metric),
        "points_lost": None if lost is None else lost.value,
        "points_low": None if lost is None else lost.low,
        "points_high": None if lost is None else lost.high,
        "fidelity": measured.value(f"fidelity_{metric}"),
        "macs": paredown.inspect(model).macs,
        "size_bytes": model.size_bytes,
        "latency_s": measured.value("latency_s"),
        "latency_ratio": None if ratio is None else ratio.value,
        "ratio_low": None if ratio is None else ratio.low,
        "ratio_high": None if ratio is None else ratio.high,
        "doubts": [d.text for d in measured.doubts],
        "minutes": round(minutes, 2),
        "computed_minutes": round(computed, 2),
        "learned": learned,
        "learned_from": unlabelled,
        "images": len(subject.calibration),
        "judged": len(subject.judged),
        **more(model, subject.model),
    }


def _learned_from(args: argparse.Namespace, recipe: str) -> str | None:
    """The unlabelled images of the command line, where the recipe learns."""
    learns = recipe != "float" and parse_recipe(recipe).learns
    return args.learn_from if learns else None


def _logged(items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
    """The items; says what is done when it begins."""
    say(f"  {time.strftime('%H:%M:%S')} {what}")
    return items
