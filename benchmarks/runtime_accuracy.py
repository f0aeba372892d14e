"""Detectors in any runtime, at any size, beside ONNX Runtime's float: points lost and latency.

    python benchmarks/runtime_accuracy.py --material MATERIAL --runtime ncnn --recipes float int8
    python benchmarks/runtime_accuracy.py --material MATERIAL --runtime onnxruntime --recipes size416 --timed

Every model is compressed under the runtime's own policy, built for it and opened by it in this process
(confidence 0.001, NMS at IoU 0.7, at most 300 boxes). `--timed`: at one thread, in rounds that alternate with
the float model in ONNX Runtime. Resumes where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common import SUBJECTS, Loaded, arguments, first_line, load, read_rows, say, write

from paredown._compress.compress import compress
from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Context, Recipe
from paredown._compress.size import at_recipe_size
from paredown._measure.accuracy import accuracy
from paredown._measure.align import align
from paredown._measure.predict import predict_all
from paredown._measure.timing.latency import measure_latency
from paredown.detections import Prediction
from paredown.errors import ParedownError
from paredown.graph.prepare import prepare
from paredown.metrics import headline
from paredown.model import Model
from paredown.preprocessing.feeds import feed
from paredown.sample import Dataset
from paredown.study.bench import FedImages
from paredown.targets import Target, target

IOU, MAX_DETECTIONS = 0.7, 300
DETECTORS = [name for name, subject in SUBJECTS.items() if subject.task == "detect"]
Key = tuple[object, ...]


def main() -> int:
    """Exit code. A row for every model, runtime and recipe."""
    parser = arguments(__doc__, "runtime_accuracy.json", DETECTORS)
    parser.add_argument("--runtime", required=True, help="see `paredown list runtimes`")
    parser.add_argument("--recipes", nargs="+", default=["float", "int8"], metavar="RECIPE")
    parser.add_argument("--timed", action="store_true", help="its latency too; of rows made before alone")
    args = parser.parse_args()
    rows = read_rows(args.out)
    for name in args.models:
        settings = {"images": args.images, "eval": args.eval}
        wanted = [(name, args.runtime, recipe) for recipe in args.recipes]
        missing = [
            key for key in wanted if (row := _find(rows, key, settings)) is None or _untimed(args, row)
        ]
        if not missing:
            continue
        subject = Subject(load(args.material, name, args.images, args.eval))
        for key in missing:
            say(" ".join(map(str, key)))
            row = _find(rows, key, settings) or {
                **dict(zip(("model", "runtime", "recipe"), key, strict=True)), "settings": settings
            }  # fmt: skip
            row = _measured(args, subject, dict(row))
            rows = [*(r for r in rows if _key(r) != key), row]
            write(args.out, sorted(rows, key=lambda r: tuple(map(str, _key(r)))), threads=1)
    return 0


def _key(row: Mapping[str, object]) -> Key:
    return row["model"], row["runtime"], row["recipe"]


def _find(
    rows: list[dict[str, object]], key: Key, settings: Mapping[str, object]
) -> dict[str, object] | None:
    return next((row for row in rows if _key(row) == key and row["settings"] == settings), None)


def _untimed(args: argparse.Namespace, row: Mapping[str, object]) -> bool:
    return args.timed and "error" not in row and "latency_ratio" not in row


class Subject:
    """A prepared model with its card, its images, and what it says of them."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.card = replace(loaded.card, iou=IOU, max_detections=MAX_DETECTIONS)
        self.model = prepare(loaded.model.with_card(self.card), self.card.preprocess.size).with_card(
            self.card
        )

    @cached_property
    def judged(self) -> Dataset:
        return align(self.loaded.judged, self.card)[0]

    @cached_property
    def reference(self) -> list[Prediction]:
        say(f"{self.loaded.name}: float in ONNX Runtime on {len(self.judged)} images")
        return predict_all(target("local").compile(self.model.data, threads=1), self.card, self.judged)

    def made(self, where: Target, recipe: Recipe) -> Model:
        """The recipe's model for the place, with the card at its size."""
        sized = at_recipe_size(self.model, recipe)
        card = sized.card or self.card
        images = FedImages(self.loaded.calibration, card, sized.inputs)
        context = Context(sized, lambda: images, where.device, where.policy)
        return compress(recipe, context).model.with_card(card)


def _measured(args: argparse.Namespace, subject: Subject, row: dict[str, Any]) -> dict[str, Any]:
    """The row with what the recipe's model is worth in the runtime, or why there is none."""
    where = target("local", runtime=args.runtime)
    try:
        made = subject.made(where, parse_recipe(str(row["recipe"])))
        row = row if "points_lost" in row else {**row, **_judged(subject, made, where)}
        return {**row, **_timed(subject, made, where)} if args.timed else row
    except ParedownError as e:
        say(f"  {e}")
        return {**row, "error": first_line(e)}


def _judged(subject: Subject, made: Model, where: Target) -> dict[str, Any]:
    card = made.card or subject.card
    found = predict_all(where.compile(made.data, threads=1), card, subject.judged)
    quantities, _ = accuracy(found, subject.judged, card, subject.reference)
    by_name, name = {q.name: q for q in quantities}, headline(card.task, has_truth=True)
    drop = by_name[f"{name}_drop"]
    say(f"  {by_name[name].value:.4f}, {drop.value:.2f} points lost")
    kept = {q.name: q.value for q in quantities if q.name in (name, f"fidelity_{name}")}
    return {**kept, "points_lost": drop.value, "points_low": drop.low, "points_high": drop.high}


def _timed(subject: Subject, made: Model, where: Target) -> dict[str, Any]:
    image = subject.loaded.judged[0].read()
    with TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("model.onnx", "float.onnx")]
        feeds = []
        for file, model in zip(files, (made, subject.model), strict=True):
            file.write_bytes(model.data)
            feeds.append(feed(image, (model.card or subject.card).preprocess, model.inputs)[0])
        found, _, doubts = measure_latency(
            *files, where, feeds[0], baseline_place=target("local"), baseline_feeds=feeds[1], threads=1
        )
    by_name = {q.name: q for q in found}
    ratio = by_name["latency_ratio"]
    say(f"  {ratio.value:.3f} of float's time ({ratio.low:.3f} .. {ratio.high:.3f})")
    return {
        "latency_s": by_name["latency_s"].value,
        "latency_ratio": ratio.value,
        "low": ratio.low,
        "high": ratio.high,
        "doubts": [d.text for d in doubts],
    }


if __name__ == "__main__":
    sys.exit(main())
