"""How well an ONNX file of the demo's detector finds what is in scenes: COCO average precision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from paredown.demo.scenes import CLASSES
from paredown.graph.run import open_session
from paredown.sample import Dataset, Labels

INPUT = (320, 320)  # of the shipped model
CONTENT = (240, 320)  # what a scene fills of it
PAD = 114

Pairs = list[tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]]  # image, boxes, classes


@dataclass(frozen=True)
class Score:
    """map50_95, map50: COCO average precision. certain: detections above 0.25."""

    map50_95: float
    map50: float
    certain: int


def truth(labels: object) -> Labels:
    if not isinstance(labels, Labels):
        raise TypeError("a drawn scene always has boxes")
    return labels


def dataset_pairs(data: Dataset) -> Pairs:
    return [(s.read(), truth(s.truth).boxes, truth(s.truth).classes) for s in data]


def detect(session: Any, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Detections (n, 5) x y w h score in the image's pixels, and their classes: conf 0.001, NMS at 0.7."""
    top = (INPUT[0] - CONTENT[0]) // 2
    canvas = np.full((*INPUT, 3), PAD, np.uint8)
    canvas[top : top + CONTENT[0]] = cv2.resize(image, CONTENT[::-1], interpolation=cv2.INTER_LINEAR)
    tensor = canvas.transpose(2, 0, 1)[None].astype(np.float32) / 255
    answer = session.run(None, {"images": tensor})[0][0]
    scores, classes = answer[4:].max(0), answer[4:].argmax(0)
    boxes = answer[:4].T.copy()
    boxes[:, :2] -= boxes[:, 2:] / 2
    kept = cv2.dnn.NMSBoxesBatched(boxes.tolist(), scores.tolist(), classes.tolist(), 0.001, 0.7)
    keep = np.asarray(kept, int)[:300]
    found = boxes[keep]
    found[:, 1] -= top
    scale = INPUT[1] / image.shape[1]
    return np.concatenate([found / scale, scores[keep, None]], 1), classes[keep]


def measure(file: Path, pairs: Pairs) -> Score:
    """The score of an ONNX file on images with known boxes."""
    session = open_session(file.read_bytes(), threads=1)
    truths: list[dict[str, object]] = []
    answers: list[dict[str, object]] = []
    certain = 0
    for i, (image, boxes, classes) in enumerate(pairs):
        sizes = boxes[:, 2:] - boxes[:, :2]
        for corner, size, c in zip(boxes[:, :2].tolist(), sizes.tolist(), classes.tolist(), strict=True):
            annotation = {"id": len(truths) + 1, "image_id": i, "category_id": c, "iscrowd": 0}
            truths.append(annotation | {"bbox": corner + size, "area": size[0] * size[1]})
        found, kinds = detect(session, image)
        certain += int((found[:, 4] > 0.25).sum())
        for row, c in zip(found.tolist(), kinds.tolist(), strict=True):
            answers.append({"image_id": i, "category_id": c, "bbox": row[:4], "score": row[4]})
    if not answers:
        return Score(0.0, 0.0, 0)
    images = [{"id": i} for i in range(len(pairs))]
    categories = [{"id": i, "name": n} for i, n in enumerate(CLASSES)]
    coco = COCO({"images": images, "annotations": truths, "categories": categories})
    judge = COCOeval_faster(coco, coco.loadRes(answers), "bbox", print_function=lambda *_: None)
    judge.run()
    return Score(float(judge.stats[0]), float(judge.stats[1]), certain)
