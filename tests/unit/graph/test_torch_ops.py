"""Every operator of the table: ONNX Runtime gives the same values, finite differences the same gradients."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from paredown.errors import UnsupportedModel
from paredown.graph.load import from_proto
from paredown.graph.run import run_once

torch = pytest.importorskip("torch", reason="pip install 'paredown[train]'")

from paredown.graph.executor import Executor  # noqa: E402
from paredown.graph.torch_ops.table import OPS  # noqa: E402

RNG = np.random.default_rng(0)


@dataclass
class Case:
    """One node. The first `fed` inputs are fed, the others stored; None is a missing optional input."""

    op: str
    inputs: tuple[np.ndarray | None, ...]
    attributes: dict[str, object] = field(default_factory=dict)
    fed: int = 1
    opset: int = 18
    outputs: int = 1
    smooth: bool = True  # finite differences make sense

    def __str__(self) -> str:
        return f"{self.op}-{'-'.join(f'{k}={v}' for k, v in self.attributes.items())}-{self.opset}"[:60]


def floats(*shape: int, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """Values that are well apart, so that no difference quotient crosses a kink between two of them."""
    count = int(np.prod(shape))
    return RNG.permutation(np.linspace(low, high, count) + 0.013).reshape(shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


X, Y = floats(1, 4, 6, 6), floats(1, 4, 6, 6)
POSITIVE = floats(1, 4, 6, 6, low=0.2, high=2.0)
UNARY = [
    *("Abs", "Ceil", "Celu", "Cos", "Dropout", "Elu", "Erf", "Exp", "Floor", "GlobalAveragePool"),
    *("GlobalMaxPool", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Mish", "Neg", "Relu", "Round"),
    *("Selu", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Tan", "Tanh"),
]
STEPWISE = {"Ceil", "Floor", "Round", "Sign"}
COMPARED = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
PADS = {"pads": [1, 1, 1, 1]}
SCALES = np.array([1, 1, 2, 2], np.float32)
WIDE = np.array([1, 1, 1.5, 0.7], np.float32)
WHOLE = np.array([1, 1, 1.5, 0.5], np.float32)  # gives whole lengths
NONE = np.zeros(0, np.float32)
GAIN = floats(4, low=0.5, high=1.5)

CASES = [
    *(Case(op, (X,), smooth=op not in STEPWISE) for op in UNARY),
    *(Case(op, (POSITIVE,)) for op in ("Log", "Sqrt", "Reciprocal")),
    *(Case(op, (X, floats(4, 1, 1, low=0.5))) for op in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum")),
    *(Case(op, (X, Y), fed=2, smooth=False) for op in COMPARED),
    *(Case(op, (X > 0, Y > 0), fed=2, smooth=False) for op in ("And", "Or", "Xor")),
    Case("Not", (X > 0,), smooth=False),
    Case("Mean", (X, Y), fed=2),
    Case("Pow", (POSITIVE, np.array(2, np.float32))),
    Case("Pow", (POSITIVE, np.array(1.5, np.float32))),
    Case("Mod", (X, np.array(0.4, np.float32)), {"fmod": 1}, smooth=False),
    Case("PRelu", (X, floats(4, 1, 1))),
    Case("ThresholdedRelu", (X,), {"alpha": 0.3}),
    Case("Gelu", (X,), opset=20),
    Case("Gelu", (X,), {"approximate": "tanh"}, opset=20),
    Case("Clip", (X, np.array(-0.5, np.float32), np.array(0.4, np.float32))),
    Case("Cast", (X,), {"to": TensorProto.INT64}, smooth=False),
    Case("CastLike", (X, np.array(1, np.int32)), smooth=False),
    Case("Where", (X > 0, X, Y), fed=3, smooth=False),
    *(Case(op, (POSITIVE, ints(2, 3)), {"keepdims": 0}) for op in OPS if op.startswith("Reduce")),
    *(Case(op, (POSITIVE,), {"axes": [1]}, opset=11) for op in ("ReduceMean", "ReduceSum", "ReduceMax")),
    Case("ArgMax", (X,), {"axis": 1}, smooth=False),
    Case("ArgMin", (X,), {"axis": 3, "keepdims": 0}, smooth=False),
    Case("TopK", (X, ints(3)), {"axis": 2}, outputs=2),
    Case("CumSum", (X, np.array(1, np.int64))),
    Case("Conv", (X, floats(8, 4, 3, 3), floats(8)), {**PADS, "strides": [2, 2]}),
    Case("Conv", (X, floats(4, 1, 3, 3)), {"group": 4, "dilations": [2, 2], "pads": [2, 2, 2, 2]}),
    Case("Conv", (X, floats(2, 4, 3, 3)), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    Case("Conv", (X, floats(2, 4, 3, 3)), {"pads": [0, 1, 2, 1]}),
    Case("ConvTranspose", (X, floats(4, 3, 3, 3)), {"strides": [2, 2], "pads": [0, 1, 1, 0]}),
    Case("Gemm", (floats(2, 5), floats(3, 5), floats(3)), {"transB": 1, "alpha": 0.5, "beta": 2.0}),
    Case("MatMul", (floats(2, 4, 5), floats(5, 3))),
    Case("Einsum", (floats(2, 4, 5), floats(2, 5, 3)), {"equation": "bij,bjk->bik"}, fed=2),
    Case("MaxPool", (X,), {"kernel_shape": [3, 3], "strides": [2, 2], **PADS}),
    Case("MaxPool", (X,), {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    Case("MaxPool", (X,), {"kernel_shape": [5, 5], "pads": [2, 2, 2, 2]}),
    Case("MaxPool", (X,), {"kernel_shape": [2, 2], "auto_pad": "SAME_LOWER"}),
    Case("AveragePool", (X,), {"kernel_shape": [3, 3], "strides": [2, 2], **PADS}),
    Case("AveragePool", (X,), {"kernel_shape": [3, 3], "count_include_pad": 1, **PADS}),
    Case("AveragePool", (X,), {"kernel_shape": [2, 2], "pads": [0, 0, 1, 1]}),
    Case("BatchNormalization", (X, GAIN, floats(4), floats(4), GAIN)),
    Case("InstanceNormalization", (X, GAIN, floats(4))),
    Case("GroupNormalization", (X, GAIN, floats(4)), {"num_groups": 2}, opset=21),
    Case("LayerNormalization", (floats(2, 3, 4), GAIN, floats(4))),
    Case("LpNormalization", (X,), {"axis": 1}),
    Case("LRN", (X,), {"size": 3}),
    Case("Softmax", (X,), {"axis": 1}),
    Case("Softmax", (X,), {"axis": 1}, opset=11),
    Case("LogSoftmax", (X,)),
    Case("Constant", (), {"value": numpy_helper.from_array(X)}, fed=0, smooth=False),
    Case("ConstantOfShape", (ints(2, 3),), fed=1, smooth=False),
    Case("Range", (ints(2)[0], ints(9)[0], ints(3)[0]), fed=3, smooth=False),
    Case("Shape", (X,), smooth=False),
    Case("Size", (X,), smooth=False),
    Case("OneHot", (ints(1, 0, 2), ints(3), np.array([0, 5], np.float32)), smooth=False),
    Case("Reshape", (X, ints(0, -1, 9))),
    Case("Flatten", (X,), {"axis": 2}),
    Case("Squeeze", (floats(1, 3, 1), ints(2))),
    Case("Squeeze", (floats(1, 3, 1),), {"axes": [0]}, opset=11),
    Case("Unsqueeze", (X, ints(0, -1))),
    Case("Transpose", (X,), {"perm": [0, 2, 3, 1]}),
    Case("Concat", (X, Y), {"axis": 1}, fed=2),
    Case("Split", (X, ints(1, 3)), {"axis": 1}, outputs=2),
    Case("Split", (X,), {"axis": 1, "split": [3, 1]}, opset=11, outputs=2),
    Case("Split", (floats(2, 5),), {"axis": 1, "num_outputs": 3}, outputs=3),
    Case("Slice", (X, ints(1, 5), ints(100, -(2**63)), ints(1, 3), ints(2, -2))),
    Case("Gather", (X, np.array([[0, -1]], np.int64)), {"axis": 1}),
    Case("Gather", (ints(4, 5, 6), ints(1)[0]), smooth=False),
    Case("GatherElements", (X, np.zeros((1, 1, 6, 6), np.int64)), {"axis": 1}),
    Case("GatherND", (X, np.array([[0, 1], [0, 3]], np.int64))),
    Case("ScatterND", (X, np.array([[0, 1], [0, 3]], np.int64), floats(2, 6, 6))),
    Case("ScatterElements", (X, np.zeros((1, 1, 6, 6), np.int64), floats(1, 1, 6, 6)), {"axis": 1}),
    Case("Expand", (floats(4, 1), ints(2, 4, 3))),
    Case("Tile", (X, ints(1, 2, 1, 3))),
    Case("Pad", (X, ints(0, 1, 0, 2, 0, 0, 3, 0), np.array(0.5, np.float32))),
    Case("Pad", (X, ints(0, 0, 1, 2, 0, 0, 2, 1)), {"mode": "reflect"}),
    Case("Pad", (X, ints(0, 0, 1, 2, 0, 0, 2, 1)), {"mode": "edge"}),
    Case("DepthToSpace", (X,), {"blocksize": 2}),
    Case("DepthToSpace", (X,), {"blocksize": 2, "mode": "CRD"}),
    Case("SpaceToDepth", (X,), {"blocksize": 2}),
    Case("ArgMax", (np.round(X * 4),), {"axis": 1, "select_last_index": 1}, smooth=False),
    Case("TopK", (np.round(X * 4), ints(5)), {"axis": 2}, outputs=2, smooth=False),
    Case("TopK", (np.round(X * 4), ints(5)), {"axis": 3, "largest": 0}, outputs=2, smooth=False),
    Case("LpNormalization", (np.maximum(X, 0).reshape(4, 36)[:, :2],), {"axis": 1}, smooth=False),
    Case("Trilu", (floats(1, 5, 5),), {"upper": 0}),
    Case("Upsample", (X, SCALES), {"mode": "nearest"}, opset=9),
    *(
        Case("Resize", (X, NONE, scales), {"mode": mode, "coordinate_transformation_mode": where})
        for scales in (SCALES, WIDE, WHOLE)
        for mode in ("nearest", "linear", "cubic")
        for where in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
        if scales is not WIDE or where != "align_corners"  # there ONNX and its runtime differ
    ),
    *(
        Case(
            "Resize", (X, NONE, scales), {"nearest_mode": how, "coordinate_transformation_mode": "asymmetric"}
        )
        for scales in (SCALES, WIDE)
        for how in ("floor", "ceil", "round_prefer_ceil")
    ),
    Case("Resize", (X, None, None, ints(1, 4, 9, 13)), {"mode": "linear"}),
    Case("GridSample", (X, floats(1, 3, 3, 2)), {"mode": "linear"}, opset=20, fed=2),
    Case("QuantizeLinear", (X, np.float32(0.02), np.uint8(120)), smooth=False),
    Case("DequantizeLinear", ((X * 100).astype(np.int8), np.float32(0.02), np.int8(3)), smooth=False),
    Case(
        "DequantizeLinear", ((X * 99).astype(np.int8), GAIN, np.zeros(4, np.int8)), {"axis": 1}, smooth=False
    ),
]


def model_of(case: Case):
    """The one-node model, and its feeds."""
    names = ["" if x is None else f"x{i}" for i, x in enumerate(case.inputs)]
    tensors = [(n, np.asarray(x)) for n, x in zip(names, case.inputs, strict=True) if x is not None]
    made = [f"y{i}" for i in range(case.outputs)]
    node = helper.make_node(case.op, names, made, name="node", **case.attributes)
    dummy = helper.make_node("Identity", ["image"], ["same"], name="pass")
    fed = tensors[: case.fed]
    inputs = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape) for n, x in fed
    ]
    if not fed:
        fed, inputs = [("image", X)], [helper.make_tensor_value_info("image", TensorProto.FLOAT, X.shape)]
    graph = helper.make_graph(
        [node] + ([dummy] if not case.fed else []),
        "one",
        inputs,
        [helper.make_value_info(n, helper.make_tensor_type_proto(0, None)) for n in made],
        [numpy_helper.from_array(x, n) for n, x in tensors[case.fed :]],
    )
    for value in graph.output:
        value.ClearField("type")
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", case.opset)], ir_version=10)
    proto = onnx.shape_inference.infer_shapes(proto)
    for value in proto.graph.output:  # inference knows no output of an operator that is a function
        if not value.type.HasField("tensor_type"):
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    return from_proto(proto, "one"), dict(fed)


def test_every_operator_has_a_case() -> None:
    assert set(OPS) == {case.op for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_are_those_of_the_runtime(case: Case) -> None:
    model, feeds = model_of(case)
    want = run_once(model.data, feeds)
    with torch.no_grad():
        got = Executor(model).run({n: torch.from_numpy(np.array(x)) for n, x in feeds.items()})
    for name, expected in want.items():
        assert got[name].shape == expected.shape
        np.testing.assert_allclose(got[name].numpy(), expected, rtol=1e-4, atol=2e-6)


REFUSED = [
    Case("Resize", (X, NONE, WIDE), {"mode": "linear", "coordinate_transformation_mode": "align_corners"}),
    Case("Dropout", (X, np.float32(0.5), np.array(True))),
    Case("ScatterND", (X, np.array([[0, 1]], np.int64), floats(1, 6, 6)), {"reduction": "max"}),
]


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_cannot_be_answered_rightly_is_refused(case: Case) -> None:
    model, feeds = model_of(case)
    with pytest.raises(UnsupportedModel, match=f"'node' .{case.op}. cannot be run") as caught:
        Executor(model).run({n: torch.from_numpy(np.array(x)) for n, x in feeds.items()})
    assert caught.value.got


def test_constants_of_half_precision_keep_their_values() -> None:
    """bfloat16 is no type of numpy's: once read as integers, without a word."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "c"], ["y"])],
        "half",
        [helper.make_tensor_value_info("x", TensorProto.BFLOAT16, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.BFLOAT16, [1, 2])],
        [helper.make_tensor("c", TensorProto.BFLOAT16, [1, 2], [0.5, 1.75])],
    )
    model = from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), "half")
    made = Executor(model).run({"x": torch.ones(1, 2, dtype=torch.bfloat16)})
    assert made["y"].tolist() == [[1.5, 2.75]]


def test_types_that_torch_has_not_are_refused() -> None:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "text",
        [helper.make_tensor_value_info("x", TensorProto.STRING, [1])],
        [helper.make_tensor_value_info("y", TensorProto.STRING, [1])],
    )
    model = from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), "text")
    with pytest.raises(UnsupportedModel, match="cannot be computed with"):
        Executor(model)


@pytest.mark.parametrize("case", [c for c in CASES if c.smooth], ids=str)
def test_gradients_are_those_of_finite_differences(case: Case) -> None:
    """In double precision, through the very functions that the executor calls."""
    model, _ = model_of(case)
    step = Executor(model)._steps[0]
    wide = [None if x is None else torch.from_numpy(np.array(x)) for x in case.inputs]
    wide = [x.double() if x is not None and x.is_floating_point() else x for x in wide]
    fed = [x.requires_grad_() for x in wide[: case.fed] if x is not None]

    def run(*xs):
        made = step.function(step.call, *xs, *wide[case.fed :])
        return tuple(m for m in (made if isinstance(made, tuple) else (made,)) if m.is_floating_point())

    assert torch.autograd.gradcheck(run, fed, eps=1e-6, atol=1e-5, rtol=1e-3)
