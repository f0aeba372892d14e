"""Real detectors at another input size: the same picture on a larger canvas has its boxes where they were."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from paredown import data
from paredown._measure.predict import predict_all
from paredown.card import Card
from paredown.data.arrays import from_arrays
from paredown.detections import Detections
from paredown.families.recognition import recognise
from paredown.graph.input_size import at_size
from paredown.graph.load import load_model
from paredown.graph.prepare import prepare
from paredown.graph.run import run_once
from paredown.model import Model
from paredown.preprocessing.letterbox import fit_image
from paredown.targets import target

MATERIAL = os.environ.get("PAREDOWN_MATERIAL")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        MATERIAL is None, reason="PAREDOWN_MATERIAL does not point at the real models and images"
    ),
]
SURE, FAR = 0.5, 0.3
IMAGES = 12


def model_of(name: str) -> Model:
    return load_model(Path(MATERIAL or "") / "models" / f"{name}.onnx")


def found(model: Model, card: Card, images: list[NDArray[np.uint8]], conf: float) -> list[Detections]:
    session = target("local").compile(model.data, threads=1)
    return [
        p for p in predict_all(session, card, from_arrays(images), conf=conf) if isinstance(p, Detections)
    ]


def overlaps(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    inner = np.clip(np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]), 0, None).prod(1)
    areas = (others[:, 2:] - others[:, :2]).prod(1)
    return inner / ((box[2:] - box[:2]).prod() + areas - inner)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "yolov8n",
        "yolov5n",
        "yolox_nano",
        "nanodet_m_320",
        "yolo_fastest_1_1_xl",
        "yolo26n",
        "picodet_s_416_coco",
    ],
)
def test_a_picture_on_a_larger_canvas_keeps_its_boxes(name: str) -> None:
    coco = data.read_dataset(str(Path(MATERIAL or "") / "data" / "coco_calib"))
    model = model_of(name)
    card = recognise(model).resolve()
    small = prepare(model, card.preprocess.size).with_card(card)
    height, width = card.preprocess.size
    large = at_size(small, (height + 64, width + 128))
    pictures = [fit_image(coco[i].read(), card.preprocess)[0][..., :3] for i in range(IMAGES)]
    grey = np.full((height + 64, width + 128, 3), 114, np.uint8)
    canvases = []
    for picture in pictures:
        canvas = grey.copy()
        canvas[:height, :width] = picture
        canvases.append(canvas)
    assert large.card is not None
    pairs = [
        (box, cls, after)
        for before, after in zip(
            found(small, card, pictures, SURE), found(large, large.card, canvases, FAR), strict=True
        )
        for box, cls in zip(before.boxes, before.classes, strict=True)
    ]
    assert len(pairs) >= 10, "too little was found to say anything"
    best = np.array(
        [overlaps(box, after.boxes[after.classes == cls]).max(initial=0.0) for box, cls, after in pairs]
    )
    assert np.median(best) > 0.95, best
    assert (best > 0.75).mean() >= 0.9, best


def test_nanodet_at_416_is_the_network_exported_at_416() -> None:
    made, theirs = at_size(prepare(model_of("nanodet_m_320")), (416, 416)), prepare(model_of("nanodet_m_416"))
    image = np.random.default_rng(0).normal(size=(1, 3, 416, 416)).astype(np.float32)
    mine = run_once(made.data, {made.inputs[0].name: image})
    other = run_once(theirs.data, {theirs.inputs[0].name: image})
    by_size = [sorted(answers.values(), key=lambda a: a.size) for answers in (mine, other)]
    for a, b in zip(*by_size, strict=True):
        np.testing.assert_allclose(a.ravel(), b.ravel(), rtol=0, atol=1e-5 * np.abs(b).max())
