"""The demo's detector with other ends: as RT-DETR's, RF-DETR's and YOLO-NAS's authors export theirs."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = 320
KINDS = 4


class _Ends:
    def __init__(self) -> None:
        self.proto = onnx.load_model_from_string((files("paredown.demo") / "detector.onnx").read_bytes())
        del self.proto.metadata_props[:]
        self.count = 0

    def constant(self, value: object, kind: type = np.int64) -> str:
        self.count += 1
        name = f"end_constant_{self.count}"
        self.proto.graph.initializer.append(numpy_helper.from_array(np.array(value, kind), name))
        return name

    def node(self, op: str, inputs: list[str], outputs: int = 1, **attributes: object) -> list[str]:
        self.count += 1
        names = [f"end_{op}_{self.count}_{i}" for i in range(outputs)]
        self.proto.graph.node.append(helper.make_node(op, inputs, names, **attributes))
        return names

    def one(self, op: str, *inputs: str, **attributes: object) -> str:
        return self.node(op, list(inputs), **attributes)[0]

    def split(self) -> tuple[str, str]:
        """boxes (1, N, 4) centre x y, width, height in pixels; scores (1, N, KINDS)."""
        rows = self.one("Transpose", "output0", perm=[0, 2, 1])
        boxes, scores = self.node("Split", [rows, self.constant([4, KINDS])], 2, axis=2)
        return boxes, scores

    def best(self, boxes: str, scores: str, k: int) -> tuple[str, str, str]:
        """boxes (1, k, 4) of the k best scores over all classes, those (1, k), and their classes (1, k)."""
        flat = self.one("Reshape", scores, self.constant([1, -1]))
        best, index = self.node("TopK", [flat, self.constant([k])], 2, axis=1)
        kinds = self.constant(KINDS)
        row = self.one("Unsqueeze", self.one("Div", index, kinds), self.constant([2]))
        spread = self.one("Expand", row, self.constant([1, k, 4]))
        return self.one("GatherElements", boxes, spread, axis=1), best, self.one("Mod", index, kinds)

    def corners(self, boxes: str) -> str:
        centre, extent = self.node("Split", [boxes, self.constant([2, 2])], 2, axis=2)
        half = self.one("Div", extent, self.constant(2.0, np.float32))
        return self.one("Concat", self.one("Sub", centre, half), self.one("Add", centre, half), axis=2)

    def made(self, outputs: list[tuple[str, int, tuple[object, ...]]], sizes: str = "") -> onnx.ModelProto:
        graph = self.proto.graph
        del graph.output[:]
        graph.output.extend(helper.make_tensor_value_info(*o) for o in outputs)
        if sizes:
            graph.input.append(helper.make_tensor_value_info(sizes, TensorProto.INT64, ("n", 2)))
        onnx.checker.check_model(self.proto)
        return self.proto


def rtdetr(k: int = 100) -> onnx.ModelProto:
    """Two inputs, the second the size of the original image; labels, boxes in its pixels, scores."""
    ends = _Ends()
    boxes, scores = ends.split()
    parts = ends.best(ends.corners(boxes), scores, k)
    fractions = ends.one("Div", parts[0], ends.constant(float(SIZE), np.float32))
    sizes = ends.one("Cast", "target_sizes", to=TensorProto.FLOAT)
    both = ends.one("Unsqueeze", ends.one("Tile", sizes, ends.constant([1, 2])), ends.constant([1]))
    boxes = ends.one("Mul", fractions, both)
    outputs = [
        (parts[2], TensorProto.INT64, (1, k)),
        (boxes, TensorProto.FLOAT, (1, k, 4)),
        (parts[1], TensorProto.FLOAT, (1, k)),
    ]
    return ends.made(outputs, sizes="target_sizes")


def rfdetr(k: int = 300) -> onnx.ModelProto:
    """Boxes as fractions, relative to a reference as exp(.) * reference; logits; both of k queries."""
    ends = _Ends()
    boxes, scores = ends.split()
    best = ends.one("ReduceMax", scores, axes=[2], keepdims=0)
    _, index = ends.node("TopK", [best, ends.constant([k])], 2, axis=1)
    index = ends.one("Squeeze", index, ends.constant([0]))
    chosen = ends.one("Gather", boxes, index, axis=1)
    fractions = ends.one("Div", chosen, ends.constant(float(SIZE), np.float32))
    fractions = ends.one("Exp", ends.one("Log", ends.one("Abs", fractions)))
    logits = ends.one("Gather", _logits(ends), index, axis=1)
    outputs = [
        (fractions, TensorProto.FLOAT, (1, k, 4)),
        (logits, TensorProto.FLOAT, (1, k, KINDS)),
    ]
    return ends.made(outputs)


def _logits(ends: _Ends) -> str:
    """(1, N, KINDS): what the detector's last Sigmoid reads."""
    sigmoid = next(n for n in reversed(ends.proto.graph.node) if n.op_type == "Sigmoid")
    return ends.one("Transpose", sigmoid.input[0], perm=[0, 2, 1])


def yolo_nas(form: str, k: int = 50) -> onnx.ModelProto:
    """form: "raw" (boxes and scores), "batch" (count, boxes, scores, classes) or "flat" (rows of seven)."""
    ends = _Ends()
    boxes, scores = ends.split()
    boxes = ends.corners(boxes)
    n = 2100
    if form == "raw":
        outputs = [(boxes, TensorProto.FLOAT, (1, n, 4)), (scores, TensorProto.FLOAT, (1, n, KINDS))]
        return ends.made(outputs)
    across = ends.one("Transpose", scores, perm=[0, 2, 1])
    limits = [ends.constant(k), ends.constant(0.6, np.float32), ends.constant(0.01, np.float32)]
    kept = ends.node("NonMaxSuppression", [boxes, across, *limits])[0]
    image, kind, row = ends.node("Split", [kept, ends.constant([1, 1, 1])], 3, axis=1)
    row = ends.one("Squeeze", row, ends.constant([1]))
    picked = ends.one("Gather", ends.one("Squeeze", boxes, ends.constant([0])), row, axis=0)
    place = ends.one("Concat", image, kind, ends.one("Unsqueeze", row, ends.constant([1])), axis=1)
    score = ends.one("Unsqueeze", ends.one("GatherND", across, place), ends.constant([1]))
    cells = [ends.one("Cast", x, to=TensorProto.FLOAT) for x in (image, kind)]
    rows = ends.one("Concat", cells[0], picked, score, cells[1], axis=1)
    if form == "flat":
        return ends.made([(rows, TensorProto.FLOAT, ("found", 7))])
    filled = ends.one("Pad", rows, ends.constant([0, 0, k, 0]), ends.constant(0.0, np.float32))
    filled = ends.one("Slice", filled, ends.constant([0]), ends.constant([k]), ends.constant([0]))
    filled = ends.one("Unsqueeze", filled, ends.constant([0]))
    _, box, score, kind = ends.node("Split", [filled, ends.constant([1, 4, 1, 1])], 4, axis=2)
    count = ends.one(
        "Min", ends.one("Gather", ends.one("Shape", rows), ends.constant([0])), ends.constant([k])
    )
    outputs = [
        (ends.one("Reshape", count, ends.constant([1, 1])), TensorProto.INT64, (1, 1)),
        (box, TensorProto.FLOAT, (1, k, 4)),
        (ends.one("Squeeze", score, ends.constant([2])), TensorProto.FLOAT, (1, k)),
        (
            ends.one("Cast", ends.one("Squeeze", kind, ends.constant([2])), to=TensorProto.INT64),
            TensorProto.INT64,
            (1, k),
        ),
    ]
    return ends.made(outputs)
