"""The head of the bundle's README: what model hubs read, and nothing that nobody measured."""

from __future__ import annotations

import json

from paredown.card import Card, Preprocess
from paredown.deploy.front_matter import front_matter
from paredown.measurement import Measurement, Quantity, Trial

CARD = Card("yolov8", "detect", Preprocess((64, 64)), ("person",))
QUANTITIES = (
    Quantity("map50_95", 0.41, "", "higher"),
    Quantity("fidelity_map50_95", 0.97, "", "higher"),
    Quantity("latency_s", 0.03, "s", "lower"),
)


def trial(*quantities: Quantity, recipe: str = "w8a8-pc-mse+bc") -> Trial:
    measured = Measurement("cd" * 32, "local", {}, quantities)
    return Trial(recipe, "int8", "ab" * 32, "models/int8.onnx", "local", 0, measured)


def test_task_tags_and_results_against_the_truth():
    text = front_matter(CARD, trial(*QUANTITIES), "yolov8n", "coco_eval, 197 images")
    lines = text.split("\n")
    assert (lines[0], lines[-3]) == ("---", "---")
    assert 'pipeline_tag: "object-detection"' in lines
    assert json.loads(lines[3].removeprefix("tags: ")) == [
        "paredown", "onnxruntime", "yolov8", "quantized", "int8"
    ]  # fmt: skip
    assert '    - type: "map50_95"' in lines
    assert "      value: 0.41" in lines
    assert '      name: "coco_eval, 197 images"' in lines
    assert "fidelity" not in text
    assert "licen" not in text


def test_without_truth_or_a_name_on_hubs_there_are_no_results():
    assert "model-index" not in front_matter(CARD, trial(QUANTITIES[1]), "a", "images")
    raw = Card("raw", "raw", Preprocess((64, 64)), ())
    text = front_matter(raw, trial(*QUANTITIES, recipe="float"), "a", "images")
    assert "pipeline_tag" not in text
    assert "quantized" not in text


def test_a_hostile_name_stays_one_text():
    text = front_matter(CARD, trial(*QUANTITIES), 'a: "b"\n---\nlicense: mit', "c: d\n---")
    assert text.count("\n---\n") == 1
    assert "\nlicense" not in text
