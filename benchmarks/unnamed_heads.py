"""Models whose heads nobody has named, read by decode files of a dozen lines: INT8 loses no more on them.

    python benchmarks/unnamed_heads.py --material MATERIAL

Made of two detectors of the material by writing their answers in other forms (`HEADS`); the decode files lie
in benchmarks/unnamed/. Nothing is said to `paredown run` but `--decode FILE --scale 0..1 --fit letterbox`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from common import HERE, arguments, first_line, model_file, say, told, write
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import paredown
from paredown import data
from paredown.analyze.against_float import accuracy_of, points_lost
from paredown.errors import ParedownError
from paredown.measurement import Trial
from paredown.study.options import Options

RECIPES = ("int8", "int8-minmax", "int8-dynamic")
JUDGED: Mapping[str, tuple[str, ...]] = {"seven": ("person", "car")}
"""Head -> the classes that it has, where those are not all of the data set's."""


class Head:
    """Another head behind a model's: nodes are added and the outputs written anew."""

    def __init__(self, file: Path) -> None:
        self.proto = onnx.shape_inference.infer_shapes(onnx.load(file))
        self.graph = self.proto.graph
        self.answer = self.graph.output[0].name
        self.shapes = {
            v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in self.graph.value_info
        }

    def node(self, op: str, *inputs: str | NDArray[np.generic], **attributes: Any) -> str:
        return self.nodes(op, 1, *inputs, **attributes)[0]

    def nodes(self, op: str, n: int, *inputs: str | NDArray[np.generic], **attributes: Any) -> list[str]:
        """A node with n outputs; arrays become constants."""
        made = [f"made{len(self.graph.node)}_{i}" for i in range(n)]
        names = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        self.graph.node.append(helper.make_node(op, names, made, name=made[0], **attributes))
        return made

    def before(self, op: str, shape: list[int]) -> str:
        """What the last node of that op and shape of output reads."""
        made = {n.output[0]: n for n in self.graph.node if n.op_type == op}
        return str([n for o, n in made.items() if self.shapes.get(o) == shape][-1].input[0])

    def made(self, op: str, shape: list[int]) -> str:
        """The output of the last node of that op and shape."""
        named = [n.output[0] for n in self.graph.node if n.op_type == op]
        return str([o for o in named if self.shapes.get(o) == shape][-1])

    def ending(self, *outputs: str) -> onnx.ModelProto:
        del self.graph.output[:]
        self.graph.output.extend(helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs)
        del self.proto.metadata_props[:]
        return onnx.shape_inference.infer_shapes(self.proto)

    def _constant(self, array: NDArray[np.generic]) -> str:
        name = f"constant{len(self.graph.initializer)}_{len(self.graph.node)}"
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
        return name


def _ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def _corners(head: Head, rows: str, parts: NDArray[np.int64], axis: int) -> tuple[str, ...]:
    """x1 y1 x2 y2 of rows that begin with cx cy w h, and the other parts."""
    centre, wide, *rest = head.nodes("Split", len(parts), rows, parts, axis=axis)
    half = head.node("Mul", wide, np.float32(0.5))
    low, high = head.node("Sub", centre, half), head.node("Add", centre, half)
    return head.node("Concat", low, high, axis=axis), *rest


def embedding(head: Head) -> onnx.ModelProto:
    """Boxes and scores in rows, and a matrix product of those rows."""
    corners, scores = _corners(head, head.answer, _ints(2, 2, 80), 1)
    rows = head.node("Transpose", head.node("Concat", corners, scores, axis=1), perm=[0, 2, 1])
    weight = np.random.default_rng(0).normal(size=(84, 16)).astype(np.float32)
    return head.ending(rows, head.node("MatMul", rows, weight))


def distances(head: Head) -> onnx.ModelProto:
    """FCOS's kind: per grid the sides' distances, logits and centreness, each a tensor (1, h, w, n)."""
    sides = head.before("Split", [1, 2, 8400])
    logits = head.before("Sigmoid", [1, 80, 8400])
    outputs = []
    parts = {
        n: head.nodes("Split", 3, value, _ints(6400, 1600, 400), axis=2)
        for n, value in ((4, sides), (80, logits))
    }
    for i, side in enumerate((80, 40, 20)):
        level = [head.node("Reshape", parts[n][i], _ints(1, n, side, side)) for n in (4, 80)]
        level.append(head.node("ReduceMax", level[1], axes=[1]))
        outputs += [head.node("Transpose", v, perm=[0, 2, 3, 1]) for v in level]
    return head.ending(*outputs)


def polar(head: Head) -> onnx.ModelProto:
    """Centre, logarithm of half the diagonal and its angle in five axes; logits beside them."""
    centre, wide, scores = head.nodes("Split", 3, head.answer, _ints(2, 2, 81), axis=2)
    w, h = head.nodes("Split", 2, head.node("Mul", wide, np.float32(0.5)), _ints(1, 1), axis=2)
    square = head.node("Add", head.node("Mul", w, w), head.node("Mul", h, h))
    radius = head.node("Mul", head.node("Log", square), np.float32(0.5))
    rows = head.node("Concat", centre, radius, head.node("Atan", head.node("Div", h, w)), axis=2)
    kept = head.node("Clip", scores, np.float32(1e-6), np.float32(1 - 1e-6))
    odds = head.node("Div", kept, head.node("Sub", np.float32(1), kept))
    return head.ending(head.node("Reshape", rows, _ints(1, 25200, 1, 2, 2)), head.node("Log", odds))


def seven(head: Head) -> onnx.ModelProto:
    """Person, background, car, and corners as fractions: the background stands in the middle."""
    corners, scores = _corners(head, head.answer, _ints(2, 2, 80), 1)
    person, car = (head.node("Gather", scores, _ints(i), axis=1) for i in (0, 2))
    nothing = head.node("Sub", np.float32(1), head.node("Max", person, car))
    fractions = head.node("Div", corners, np.float32(640))
    rows = head.node("Concat", person, nothing, car, fractions, axis=1)
    return head.ending(head.node("Transpose", rows, perm=[0, 2, 1]))


HEADS: Mapping[str, tuple[str, Callable[[Head], onnx.ModelProto]]] = {
    "embedding": ("yolov8n", embedding),
    "distances": ("yolov8n", distances),
    "polar": ("yolov5n", polar),
    "seven": ("yolov8n", seven),
}
"""Head -> the model that it is put on, and the function that does."""


def main() -> int:
    """Exit code: 1 where a model could not be judged."""
    parser = arguments(__doc__, "unnamed_heads.json", [])
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=list(HEADS))
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--runs", type=Path, default=HERE.parent / "runs" / "unnamed_heads")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name in args.heads:
        rows += _judged(args, name)
        write(args.out, rows, 1)
    return int(any("error" in row for row in rows))


def _judged(args: Any, name: str) -> list[dict[str, Any]]:
    source, put_on = HEADS[name]
    args.runs.mkdir(parents=True, exist_ok=True)
    file = args.runs / f"{name}.onnx"
    onnx.save(put_on(Head(model_file(args.material, source))), file)
    calibration = data.sample(data.read_dataset(str(args.material / "data" / "coco_calib")), args.images)
    judged = data.read_dataset(str(args.material / "data" / "coco_eval"))
    judged = judged if args.eval is None else data.sample(judged, args.eval)
    decode = str(HERE / "unnamed" / f"{name}.py")
    how: dict[str, Any] = {
        "decode": decode,
        "scale": "0..1",
        "fit": "letterbox",
        "classes": JUDGED.get(name, ()),
    }
    options = Options(recipes=tuple(args.recipes), threads=1, timing_s=1.0, **how)
    try:
        outcome = paredown.run(file, judged, calibration, out=args.runs / name, options=options, say=say)
    except ParedownError as e:
        say(f"{name}: {e}")
        return [{"model": name, "source": source, "error": first_line(e, args.material)}]
    counts = {"images": len(calibration), "judged": len(judged)}
    baseline = outcome.verdict.baseline
    return [{"model": name, "source": source, **counts, **_figures(t, baseline)} for t in outcome.trials]


def _figures(trial: Trial, baseline: Trial) -> dict[str, Any]:
    """The accuracy of one trial and what it loses of the float model's; its error where it failed."""
    if trial.measurement is None:
        return {"label": trial.label, "error": (trial.error or "").splitlines()[0]}
    accuracy, lost = accuracy_of(trial), points_lost(trial, baseline)
    drop = trial.measurement.get(f"{accuracy.name}_drop") if accuracy else None
    return {
        "label": trial.label,
        "accuracy": accuracy.value if accuracy else None,
        "points_lost": lost.value if lost else None,
        "points_low": drop.low if drop else None,
        "points_high": drop.high if drop else None,
    }


if __name__ == "__main__":
    sys.exit(told(main))
