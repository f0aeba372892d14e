"""Accuracy of a real detector on 20 real images."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paredown._measure.accuracy import accuracy, align, predict_all
from paredown.card import Card, Preprocess
from paredown.data import read_dataset, sample
from paredown.targets import target

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def material() -> Path:
    if "PAREDOWN_MATERIAL" not in os.environ:
        pytest.skip("PAREDOWN_MATERIAL does not point at the real models and images")
    return Path(os.environ["PAREDOWN_MATERIAL"])


def test_yolov8n_finds_what_is_there(material):
    data = sample(read_dataset(str(material / "data/coco_eval")), 20)
    names = (material / "data/labels/coco80.txt").read_text().splitlines()
    card = Card("yolov8", "detect", Preprocess((640, 640)), tuple(names))
    aligned, notes = align(data, card)
    session = target("local").compile((material / "models/yolov8n.onnx").read_bytes())
    predictions = predict_all(session, card, aligned)
    quantities, _ = accuracy(predictions, aligned, card, predictions)
    found = {q.name: q for q in quantities}
    assert notes == ()
    assert 0.3 < found["map50_95"].value < 0.6
    assert found["map50_95"].low < found["map50_95"].value < found["map50_95"].high
    assert 0.1 < found["best_confidence"].value < 0.6
