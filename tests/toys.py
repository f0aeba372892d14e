"""A tiny detector of YOLOv8's shape and images for it: a whole job on them takes seconds.

The detector has random weights; its own surest detections, written down as truth, make it a perfect one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from paredown import api
from paredown.study.bench import Bench

SIZE = 64
CLASSES = ("disc", "box")
STRIDES = (8, 16, 32)
CHANNELS = 32


@dataclass(frozen=True)
class Toy:
    """A tiny detector, twelve images with truth to judge on, twelve others to calibrate on."""

    model: Path
    data: Path
    calib: Path


def write_detector(path: Path, seed: int = 0, classes: tuple[str, ...] = CLASSES) -> Path:
    """An ONNX file: images (1, 3, 64, 64) -> output (1, 4 + C, 84), cx cy w h in pixels and class scores."""
    rng = np.random.default_rng(seed)
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []

    def constant(value: np.ndarray, name: str) -> str:
        weights.append(numpy_helper.from_array(value, name))
        return name

    def node(op: str, inputs: list[str], **attributes: object) -> str:
        output = f"{op.lower()}_{len(nodes)}"
        nodes.append(helper.make_node(op, inputs, [output], name=f"{op}_{len(nodes)}", **attributes))
        return output

    def conv(x: str, inner: int, outer: int, kernel: int, stride: int, gain: float, bias: float = 0.0) -> str:
        scale = gain / np.sqrt(inner * kernel * kernel)
        w = (rng.normal(size=(outer, inner, kernel, kernel)) * scale).astype(np.float32)
        b = (rng.normal(size=outer) * 0.1 + bias).astype(np.float32)
        names = [constant(w, f"w{len(weights)}"), constant(b, f"b{len(weights)}")]
        pads = [kernel // 2] * 4
        return node("Conv", [x, *names], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads)

    def silu(x: str) -> str:
        return node("Mul", [x, node("Sigmoid", [x])])

    x = "images"
    for i in range(3):
        x = silu(conv(x, 3 if i == 0 else CHANNELS, CHANNELS, 3, 2, 2.0))
    boxes, scores = [], []
    for i, stride in enumerate(STRIDES):
        if i:
            x = silu(conv(x, CHANNELS, CHANNELS, 3, 2, 2.0))
        cells = (SIZE // stride) ** 2
        for into, n, gain, bias in ((boxes, 4, 1.0, 0.5), (scores, len(classes), 6.0, -4.0)):
            shape = constant(np.array([1, n, cells]), f"shape{len(weights)}")
            into.append(node("Reshape", [conv(x, CHANNELS, n, 1, 1, gain, bias), shape]))
    distances = node("Softplus", [node("Concat", boxes, axis=2)])
    left_top, right_bottom = f"lt_{len(nodes)}", f"rb_{len(nodes)}"
    halves = constant(np.array([2, 2]), "halves")
    nodes.append(
        helper.make_node("Split", [distances, halves], [left_top, right_bottom], name="halve", axis=1)
    )
    centres, steps = _grid()
    anchors, strides = constant(centres, "anchors"), constant(steps, "strides")
    low, high = node("Sub", [anchors, left_top]), node("Add", [anchors, right_bottom])
    half = constant(np.array(0.5, np.float32), "half")
    centre = node("Mul", [node("Add", [low, high]), half])
    found = node("Mul", [node("Concat", [centre, node("Sub", [high, low])], axis=1), strides])
    chance = node("Sigmoid", [node("Concat", scores, axis=2)])
    nodes.append(helper.make_node("Concat", [found, chance], ["output0"], name="join", axis=1))

    count = sum((SIZE // s) ** 2 for s in STRIDES)
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 4 + len(classes), count])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"names": str(dict(enumerate(classes))), "task": "detect"})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def write_images(folder: Path, n: int, seed: int = 0) -> Path:
    """n pictures of discs and boxes on noise, as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for i in range(n):
        image = rng.integers(0, 60, (SIZE, SIZE, 3), dtype=np.uint8)
        for _ in range(3):
            x, y, r = (int(v) for v in rng.integers((8, 8, 4), (56, 56, 14)))
            colour = tuple(int(v) for v in rng.integers(80, 255, 3))
            if rng.random() < 0.5:
                cv2.circle(image, (x, y), r, colour, -1)
            else:
                cv2.rectangle(image, (x - r, y - r), (x + r, y + r), colour, -1)
        cv2.imwrite(str(folder / f"{i:03d}.png"), image)
    return folder


def write_truth(folder: Path, model: Path) -> Path:
    """`folder`/instances.json: the model's surest detections on `folder`/images, as if they were true."""
    images = api.read_dataset(f"plain:{folder / 'images'}")
    loaded = api.load(model, images)
    assert loaded.card is not None
    found = Bench(loaded.card, images, api.target()).predict(loaded).predictions
    annotations: list[dict[str, object]] = []
    for i, prediction in enumerate(found):
        sure = prediction.above(0.25)
        for box, index in zip(sure.boxes, sure.classes, strict=True):
            x1, y1, x2, y2 = (float(v) for v in box)
            size = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i,
                    "category_id": int(index) + 1,
                    "iscrowd": 0,
                    **size,
                }
            )
    content = {
        "images": [
            {"id": i, "file_name": Path(s.name).name, "width": SIZE, "height": SIZE}
            for i, s in enumerate(images)
        ],
        "annotations": annotations,
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(CLASSES)],
    }
    (folder / "instances.json").write_text(json.dumps(content))
    return folder


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Cell centres (1, 2, 84) in cells, and strides (1, 1, 84)."""
    centres, steps = [], []
    for stride in STRIDES:
        n = SIZE // stride
        y, x = np.mgrid[:n, :n]
        centres.append(np.stack([x.ravel(), y.ravel()]) + 0.5)
        steps.append(np.full(n * n, stride))
    grid = np.concatenate(centres, axis=1)[None].astype(np.float32)
    return grid, np.concatenate(steps)[None, None].astype(np.float32)
