"""The embedded detector: small, complete, and it finds what is in scenes it has not seen."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnxruntime.quantization import quantize_static

from paredown.demo import calibration_set, evaluation_set, model_path
from paredown.demo.scenes import CLASSES
from paredown.sample import Labels

RECALL_FLOOR = 0.7  # share of the boxes found at IoU 0.5 and conf 0.25
PRECISION_FLOOR = 0.7


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model_path(), settings, providers=["CPUExecutionProvider"])


def test_the_file_is_small_valid_and_says_what_it_is() -> None:
    assert model_path().stat().st_size < 3_000_000
    model = onnx.load(model_path())
    onnx.checker.check_model(model)
    assert model.opset_import[0].version == 17
    metadata = {p.key: p.value for p in model.metadata_props}
    assert ast.literal_eval(metadata["names"]) == dict(enumerate(CLASSES))
    assert (metadata["task"], metadata["stride"]) == ("detect", "32")
    ops = {n.op_type for n in model.graph.node}
    assert "BatchNormalization" not in ops
    assert {"Conv", "Sigmoid", "Mul", "Softmax", "Concat", "MaxPool", "Resize"} <= ops


def test_the_record_beside_the_file_describes_it() -> None:
    record = tomllib.loads(model_path().with_suffix(".toml").read_text())
    assert record["bytes"] == model_path().stat().st_size
    assert record["map50_95"] > 0.5
    assert record["command"].startswith("python tools/train_demo_detector.py")


def test_boxes_and_probabilities_come_in_one_output(session: onnxruntime.InferenceSession) -> None:
    answer = _answer(session, evaluation_set(1)[0].read())
    assert answer.shape == (4 + len(CLASSES), 40 * 40 + 20 * 20 + 10 * 10)
    assert answer[:4].max() > 100
    assert answer[4:].min() >= 0
    assert answer[4:].max() <= 1


def test_it_finds_the_objects_of_unseen_scenes(session: onnxruntime.InferenceSession) -> None:
    hits = said = true = 0
    for sample in evaluation_set(24):
        assert isinstance(sample.truth, Labels)
        boxes, classes = _detect(session, sample.read())
        same = classes[:, None] == sample.truth.classes[None]
        match = (_iou(boxes, sample.truth.boxes) > 0.5) & same
        hits += int(match.any(0).sum())
        said += len(boxes)
        true += len(sample.truth.classes)
    assert hits / true > RECALL_FLOOR
    assert hits / said > PRECISION_FLOOR


def test_naive_quantization_leaves_no_detection(tmp_path: Path) -> None:
    """What the demo is there to show: one scale over pixels and probabilities wipes out the latter."""
    naive = tmp_path / "naive.onnx"
    pictures = iter([{"images": _tensor(s.read())} for s in calibration_set(8)])
    reader = SimpleNamespace(get_next=lambda: next(pictures, None))
    quantize_static(model_path(), naive, reader)
    session = onnxruntime.InferenceSession(naive, providers=["CPUExecutionProvider"])
    for sample in evaluation_set(4):
        assert _answer(session, sample.read())[4:].max() < 0.25


def _tensor(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    canvas = np.full((320, 320, 3), 114, np.uint8)
    canvas[40:280] = cv2.resize(image, (320, 240), interpolation=cv2.INTER_LINEAR)
    return canvas.transpose(2, 0, 1)[None].astype(np.float32) / 255


def _answer(session: onnxruntime.InferenceSession, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(session.run(None, {"images": _tensor(image)})[0])[0]


def _detect(
    session: onnxruntime.InferenceSession, image: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    answer = _answer(session, image)
    scores, classes = answer[4:].max(0), answer[4:].argmax(0)
    x, y, w, h = answer[:4]
    boxes = np.stack([x - w / 2, y - h / 2, w, h], 1)
    keep = np.asarray(
        cv2.dnn.NMSBoxesBatched(boxes.tolist(), scores.tolist(), classes.tolist(), 0.25, 0.6), int
    )
    corners = np.concatenate([boxes[keep, :2], boxes[keep, :2] + boxes[keep, 2:]], 1) - (0, 40, 0, 40)
    return (corners / 0.625).astype(np.float32), classes[keep]


def _iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    overlap = np.clip(high - low, 0, None).prod(-1)
    area_a, area_b = ((x[:, 2:] - x[:, :2]).prod(1) for x in (a, b))
    return np.asarray(overlap / (area_a[:, None] + area_b[None] - overlap), np.float32)
