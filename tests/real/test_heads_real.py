"""Real models with heads of their own find what a reference, written from their provenance file, finds."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from paredown import data
from paredown._measure.feeding.reading import settle_reading
from paredown.boxes.iou import box_iou
from paredown.card import Card
from paredown.detections import Detections
from paredown.families import FAMILIES
from paredown.families.recognition import predict, recognise
from paredown.graph.load import from_proto, load_model
from paredown.model import Model
from paredown.preprocessing.feeds import feed
from paredown.preprocessing.letterbox import Frame
from paredown.preprocessing.values import parse_values, with_values
from paredown.targets import target

MATERIAL = os.environ.get("PAREDOWN_MATERIAL")
pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(
        MATERIAL is None, reason="PAREDOWN_MATERIAL does not point at the real models and images"
    ),
]
IMAGES, CONF, ALIKE = 20, 0.3, 0.95
Found = list[tuple[np.ndarray, float, int]]
Outputs = list[np.ndarray]


def centernet(outputs: Outputs) -> Found:
    """wh: distances left, top, right, bottom in pixels from (4 x, 4 y); heat: 3 x 3 peaks, no NMS."""
    sides, heat = outputs[0][0], outputs[1][0]
    found = []
    for c in range(heat.shape[2]):
        plane = heat[:, :, c]
        peaks = (plane >= CONF) & (plane == cv2.dilate(plane, np.ones((3, 3))))
        for y, x in zip(*np.nonzero(peaks), strict=True):
            left, top, right, bottom = sides[y, x]
            found.append(
                (np.array([4 * x - left, 4 * y - top, 4 * x + right, 4 * y + bottom]), plane[y, x], c)
            )
    return found


def ssdlite(outputs: Outputs) -> Found:
    """boxes as fractions of 300 x 300; scores by COCO's ids behind a background."""
    return _kept(outputs[0][0] * 300, outputs[1][0][:, 1:], 0.45)


def pose(outputs: Outputs) -> Found:
    rows = outputs[0][0].T
    boxes = np.concatenate([rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2], axis=1)
    return _kept(boxes, rows[:, 4:5], 0.7)


def _kept(boxes: np.ndarray, scores: np.ndarray, iou: float) -> Found:
    found: Found = []
    for c in range(scores.shape[1]):
        own = [[float(x1), float(y1), float(x2 - x1), float(y2 - y1)] for x1, y1, x2, y2 in boxes]
        found += [
            (boxes[i], scores[i, c], c) for i in cv2.dnn.NMSBoxes(own, scores[:, c].tolist(), CONF, iou)
        ]
    return found


def agrees(model: Model, card: Card, reference: Callable[[Outputs], Found]) -> None:
    session = target("local").compile(model.data, threads=1)
    images = data.read_dataset(str(Path(MATERIAL or "") / "data" / "coco_eval"))
    count = 0
    for sample in list(images)[:IMAGES]:
        feeds, frame = feed(sample.read(), card.preprocess, session.inputs)
        outputs = session.run(feeds)
        said, wanted = predict(outputs, card, frame, CONF), reference([*outputs.values()])
        assert isinstance(said, Detections)
        assert len(said) == len(wanted)
        count += len(wanted)
        for box, score, c in wanted:
            same = np.flatnonzero((said.classes == c) & (abs(said.scores - score) < 1e-4))
            place = frame.to_image(box[None]).astype(np.float64)
            assert box_iou(place, said.boxes[same], np.zeros(len(same), bool)).max(initial=0) >= ALIKE
    assert count >= IMAGES / 2


def opened(name: str) -> Model:
    return load_model(Path(MATERIAL or "") / "models" / f"{name}.onnx")


def told(model: Model, scale: str) -> Card:
    session = target("local").compile(model.data, threads=1)
    images = data.read_dataset(str(Path(MATERIAL or "") / "data" / "coco_calib"))
    match = settle_reading(recognise(model), session, images)
    card = next(c for c in match.cards if c.preprocess.colour == "rgb")
    return replace(card, preprocess=with_values(card.preprocess, parse_values(scale)), conf=CONF)


def test_centernet_finds_what_its_peaks_say() -> None:
    model = opened("centernet_mbv3_coco")
    card = told(model, "0..255")
    assert card.family == "centernet"
    agrees(model, replace(card, preprocess=replace(card.preprocess, fit="stretch")), centernet)


def test_ssdlite_by_cocos_ids() -> None:
    model = opened("ssdlite_mobilenet_v2_coco")
    agrees(model, told(model, "-1..1"), ssdlite)


def test_a_pose_model_that_lost_its_metadata_is_told_by_its_values() -> None:
    model = opened("yolov8n_pose_224")
    card = told(model, "0..1")
    assert (card.task, card.decode["columns"]) == ("pose", "cx cy w h scores*1 keypoints*51")
    agrees(model, card, pose)


def test_the_priors_of_tensorflow_make_the_boxes_that_its_graph_makes() -> None:
    """The same SSDLite, cut where its raw changes and logits are."""
    whole = opened("ssdlite_mobilenet_v2_coco")
    proto = onnx.load_model_from_string(whole.data)
    made = {name: node for node in proto.graph.node for name in node.output}
    logits, boxes = made["scores"].input[0], "boxes"
    while made[boxes].op_type != "Reshape":  # back along the first inputs of the decode
        boxes = made[boxes].input[0]
    shapes = {boxes: (1, 1917, 4), logits: (1, 1917, 91)}
    del proto.graph.output[:]
    for name, shape in shapes.items():
        proto.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    cut = from_proto(proto, "cut")
    found = recognise(cut).resolve()
    assert (found.family, found.decode["priors"]) == ("anchored", "tensorflow")
    card = told(whole, "-1..1")
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (300, 300, 3), np.uint8)
    feeds, frame = feed(image, card.preprocess, cut.inputs)
    answers = [target("local").compile(m.data, threads=1).run(feeds) for m in (cut, whole)]
    said = [read(a, c, frame) for a, c in zip(answers, (found, card), strict=True)]
    np.testing.assert_allclose(said[0][0], said[1][0], atol=0.05)
    np.testing.assert_allclose(said[0][1], said[1][1], atol=1e-4)


def read(answer: object, card: Card, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    found = FAMILIES[card.family].candidates(answer, card, -np.inf)  # type: ignore[arg-type]
    return found.boxes, found.scores  # type: ignore[union-attr]
