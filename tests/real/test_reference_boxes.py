"""Detectors find what implementations of their own, written from their provenance file, find: same boxes.

The reference feeds the image itself (OpenCV), decodes with its own lines and suppresses with OpenCV's NMS.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
import pytest

from paredown import api
from paredown.boxes.iou import box_iou
from paredown.detections import Detections
from paredown.families.recognition import predict
from paredown.preprocessing.feeds import feed
from paredown.targets import target

MATERIAL = os.environ.get("PAREDOWN_MATERIAL")
pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(
        MATERIAL is None, reason="PAREDOWN_MATERIAL does not point at the real models and images"
    ),
]
IMAGES, CONF, ALIKE, MOST_MISSED = 20, 0.3, 0.95, 0.01  # where two scores are as good as one, NMS may differ
Outputs = Mapping[str, np.ndarray]
Decode = Callable[[Outputs, int], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Reference:
    """How a detector is fed (size: height, width; fit: centre, corner or stretch) and its answer decoded."""

    size: tuple[int, int]
    fit: str
    decode: Decode
    bgr: bool = False
    pad: int = 114
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (255.0,)
    nms: bool = True

    def fed(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The input (1, 3, h, w), and how a point of the image becomes one of it: factor and shift (x, y)."""
        (height, width), (h, w) = self.size, image.shape[:2]
        scale = min(height / h, width / w)
        whole = int if self.fit == "corner" else round  # as YOLOX's own preproc does
        new = (width, height) if self.fit == "stretch" else (whole(w * scale), whole(h * scale))
        canvas = np.full((height, width, 3), self.pad, np.uint8)
        left, top = ((width - new[0]) // 2, (height - new[1]) // 2) if self.fit == "centre" else (0, 0)
        canvas[top : top + new[1], left : left + new[0]] = cv2.resize(image, new)
        values = (canvas[..., ::-1] if self.bgr else canvas).astype(np.float32)
        values = (values - np.float32(self.mean)) / np.float32(self.std)
        factor = np.array([scale, scale] if self.fit == "corner" else [new[0] / w, new[1] / h])
        return values.transpose(2, 0, 1)[None], factor, np.array([left, top])


def corners(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2], axis=1)


def yolov8(outputs: Outputs, size: int) -> tuple[np.ndarray, np.ndarray]:
    rows = outputs["output0"][0].T
    return corners(rows), rows[:, 4:]


def with_objectness(outputs: Outputs, size: int) -> tuple[np.ndarray, np.ndarray]:
    (rows,) = (a[0] for a in outputs.values())
    return corners(rows), rows[:, 4:5] * rows[:, 5:]


def yolox(outputs: Outputs, size: int) -> tuple[np.ndarray, np.ndarray]:
    rows = outputs["output"][0].copy()
    steps = [s for s in (8, 16, 32) for _ in range((size // s) ** 2)]
    places = [(x, y) for s in (8, 16, 32) for y in range(size // s) for x in range(size // s)]
    stride = np.array(steps, np.float32)[:, None]
    rows[:, :2] = (rows[:, :2] + np.array(places)) * stride
    rows[:, 2:4] = np.exp(rows[:, 2:4]) * stride
    return corners(rows), rows[:, 4:5] * rows[:, 5:]


def bins(outputs: Outputs, size: int, strides: tuple[int, ...], half: float) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n, 80) and four sides of 8 bins (n, 32) per level, told apart by their widths."""
    arrays = [a.reshape(-1, a.shape[-1]) for a in outputs.values()]
    boxes, scores = [], []
    for stride in strides:
        cells = -(-size // stride)
        (score,) = (a for a in arrays if a.shape == (cells**2, 80))
        (sides,) = (a for a in arrays if a.shape == (cells**2, 32))
        e = np.exp(sides.reshape(-1, 4, 8))
        distance = (e / e.sum(axis=2, keepdims=True) @ np.arange(8)) * stride
        y, x = (axis.ravel() for axis in (np.mgrid[:cells, :cells] + half) * stride)
        boxes.append(np.stack([x, y, x, y], axis=1) + distance * [-1, -1, 1, 1])
        scores.append(score)
    return np.concatenate(boxes), np.concatenate(scores)


def nanodet(outputs: Outputs, size: int) -> tuple[np.ndarray, np.ndarray]:
    return bins(outputs, size, (8, 16, 32), 0.5)


def picodet(outputs: Outputs, size: int) -> tuple[np.ndarray, np.ndarray]:
    return bins(outputs, size, (8, 16, 32, 64), 0.5)


def person_ssd(outputs: Outputs, size: int) -> tuple[np.ndarray, np.ndarray]:
    return outputs["boxes"][0] * [544, 320, 544, 320], outputs["scores"][0][:, 1:]


def end_to_end(outputs: Outputs, size: int) -> tuple[np.ndarray, np.ndarray]:
    rows = outputs["output0"][0]
    return rows[:, :4], rows[:, 4:5] * (rows[:, 5:6] == np.arange(80))


_NANODET = {
    "bgr": True,
    "pad": 0,
    "mean": (103.53, 116.28, 123.675),
    "std": (57.375, 57.12, 58.395),
}
_PICODET = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
_PIXELS = {"bgr": True, "std": (1.0,)}
REFERENCES = {
    "yolov8n": Reference((640, 640), "centre", yolov8),
    "yolov5n": Reference((640, 640), "centre", with_objectness),
    "yolox_nano": Reference((416, 416), "corner", yolox, **_PIXELS),
    "nanodet_m_416": Reference((416, 416), "centre", nanodet, **_NANODET),
    "nanodet_m_320": Reference((320, 320), "centre", nanodet, **_NANODET),
    "picodet_s_416_coco": Reference((416, 416), "stretch", picodet, **_PICODET),
    "yolo_fastest_1_1_xl": Reference((320, 320), "stretch", with_objectness),
    "yolo_lite_coco": Reference((224, 224), "stretch", with_objectness),
    "person_ssd_retail_0013": Reference((320, 544), "stretch", person_ssd, **_PIXELS),
    "yolo26n": Reference((640, 640), "centre", end_to_end, nms=False),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_the_boxes_are_those_of_the_reference(name) -> None:
    reference, root = REFERENCES[name], Path(MATERIAL or "")
    file = root / "models" / f"{name}.onnx"
    model = api.load(file, root / "data" / "coco_calib")
    card, session = model.card, target("local").compile(model.data, threads=1)
    assert card is not None
    runtime = ort.InferenceSession(file)
    count = missed = 0
    for sample in list(api.read_dataset(root / "data" / "coco_eval"))[:IMAGES]:
        image = sample.read()
        feeds, frame = feed(image, card.preprocess, session.inputs)
        said = predict(session.run(feeds), card, frame, CONF)
        assert isinstance(said, Detections)
        given, factor, shift = reference.fed(image)
        answers = runtime.run(None, {runtime.get_inputs()[0].name: given})
        outputs = dict(zip((o.name for o in runtime.get_outputs()), answers, strict=True))
        boxes, scores = reference.decode(outputs, reference.size[0])
        places = (boxes.reshape(-1, 2, 2) - shift) / factor
        clipped = places.reshape(-1, 4).clip(0, [image.shape[1], image.shape[0]] * 2)
        for c in range(scores.shape[1]):
            kept = suppressed(places.reshape(-1, 4), scores[:, c], card.iou if reference.nms else 1.0)
            count += len(kept)
            same = said.boxes[(said.classes == c) & (said.scores > CONF - 0.02)]
            overlap = box_iou(clipped[kept], same, np.zeros(len(same), bool)).max(axis=1, initial=0)
            missed += int((overlap < ALIKE).sum())
    assert count >= IMAGES / 2
    assert missed <= max(1, MOST_MISSED * count), (name, missed, count)


def suppressed(boxes: np.ndarray, scores: np.ndarray, iou: float) -> list[int]:
    """The boxes of one class that OpenCV's NMS keeps."""
    near = np.flatnonzero(scores >= CONF)
    if iou == 1.0 or not near.size:
        return near.tolist()
    own = np.concatenate([boxes[near, :2], boxes[near, 2:] - boxes[near, :2]], axis=1)
    return near[list(cv2.dnn.NMSBoxes(own.tolist(), scores[near].tolist(), CONF, iou))].tolist()
