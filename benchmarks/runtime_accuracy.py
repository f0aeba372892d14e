"""Detectors in another runtime beside ONNX Runtime's float: points lost, the same images, the same judge.

    python benchmarks/runtime_accuracy.py --material MATERIAL --runtime ncnn --recipes float int8

Every model is compressed under the runtime's own policy, built for it and opened by it in this process
(confidence 0.001, NMS at IoU 0.7, at most 300 boxes). Resumes where it was stopped.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from common import SUBJECTS, Loaded, arguments, first_line, load, read_rows, say, write

from paredown._compress.compress import compress
from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Context
from paredown._measure.accuracy import accuracy
from paredown._measure.align import align
from paredown._measure.predict import predict_all
from paredown.card import Card
from paredown.detections import Prediction
from paredown.errors import ParedownError
from paredown.graph.prepare import prepare
from paredown.metrics import headline
from paredown.model import Model
from paredown.sample import Dataset
from paredown.study.bench import FedImages
from paredown.targets import target

IOU, MAX_DETECTIONS = 0.7, 300
DETECTORS = [name for name, subject in SUBJECTS.items() if subject.task == "detect"]
Key = tuple[object, ...]


def main() -> int:
    """Exit code. A row for every model, runtime and recipe."""
    parser = arguments(__doc__, "runtime_accuracy.json", DETECTORS)
    parser.add_argument("--runtime", required=True, help="see `paredown list runtimes`")
    parser.add_argument("--recipes", nargs="+", default=["float", "int8"], metavar="RECIPE")
    args = parser.parse_args()
    rows = read_rows(args.out)
    for name in args.models:
        settings = {"images": args.images, "eval": args.eval}
        wanted = [(name, args.runtime, recipe) for recipe in args.recipes]
        if not (missing := [key for key in wanted if not _find(rows, key, settings)]):
            continue
        loaded, card, judged, reference = _ground(load(args.material, name, args.images, args.eval))
        for key in missing:
            say(" ".join(key))
            row = {**dict(zip(("model", "runtime", "recipe"), key, strict=True)), "settings": settings}
            row |= _judge(loaded, card, judged, reference, args.runtime, key[2])
            rows = [*(r for r in rows if _key(r) != key), row]
            write(args.out, sorted(rows, key=lambda r: tuple(map(str, _key(r)))), threads=0)
    return 0


def _key(row: Mapping[str, object]) -> Key:
    return row["model"], row["runtime"], row["recipe"]


def _find(rows: list[dict[str, object]], key: Key, settings: Mapping[str, object]) -> bool:
    return any(_key(row) == key and row["settings"] == settings for row in rows)


def _ground(loaded: Loaded) -> tuple[Loaded, Card, Dataset, list[Prediction]]:
    """The prepared model with its card, the images it is judged on, and what it says of them."""
    card = replace(loaded.card, iou=IOU, max_detections=MAX_DETECTIONS)
    model = prepare(loaded.model.with_card(card), card.preprocess.size)
    judged, _ = align(loaded.judged, card)
    say(f"{loaded.name}: float in ONNX Runtime on {len(judged)} images")
    reference = predict_all(target("local").compile(model.data, threads=1), card, judged)
    return replace(loaded, model=model), card, judged, reference


def _judge(
    loaded: Loaded,
    card: Card,
    judged: Dataset,
    reference: list[Prediction],
    runtime: str,
    recipe: str,
) -> dict[str, Any]:
    """What the recipe's model is worth in the runtime, or why there is none."""
    try:
        made = _made(loaded, card, runtime, recipe)
        found = predict_all(target("local", runtime=runtime).compile(made.data, threads=1), card, judged)
    except ParedownError as e:
        say(f"  {e}")
        return {"error": first_line(e)}
    quantities, _ = accuracy(found, judged, card, reference)
    by_name, name = {q.name: q for q in quantities}, headline(card.task, has_truth=True)
    drop = by_name[f"{name}_drop"]
    say(f"  {by_name[name].value:.4f}, {drop.value:.2f} points lost")
    kept = {q.name: q.value for q in quantities if q.name in (name, f"fidelity_{name}")}
    return {**kept, "points_lost": drop.value, "points_low": drop.low, "points_high": drop.high}


def _made(loaded: Loaded, card: Card, runtime: str, recipe: str) -> Model:
    where = target("local", runtime=runtime)
    images = FedImages(loaded.calibration, card, loaded.model.inputs)
    context = Context(loaded.model, lambda: images, where.device, where.policy)
    return compress(parse_recipe(recipe), context).model


if __name__ == "__main__":
    sys.exit(main())
