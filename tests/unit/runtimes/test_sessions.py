"""Every runtime answers through the same border, and says clearly what it cannot take."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from paredown.errors import ModelError, TargetError, UnknownName
from paredown.runtimes import RUNTIMES
from paredown.targets import target


def tiny_model() -> bytes:
    """y = relu(x + 1); the inner tensor "sum" has no declared type."""
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["x", "one"], ["sum"]),
            helper.make_node("Relu", ["sum"], ["y"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, "n"])],
        [helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


X = np.array([[-3.0, 0.5, 2.0]], np.float32)


@pytest.mark.parametrize("name", ["local", "reference"])
def test_a_runtime_computes_the_model(name: str) -> None:
    session = target(name).compile(tiny_model(), threads=1)
    assert [(s.name, s.shape, s.dtype) for s in session.inputs] == [("x", (1, None), "float32")]
    answers = session.run({"x": X})
    assert list(answers) == ["y"]
    np.testing.assert_array_equal(answers["y"], np.maximum(X + 1, 0))


@pytest.mark.parametrize("name", ["local", "reference"])
def test_inner_tensors_become_outputs_once(name: str) -> None:
    data = tiny_model()
    session = target(name).compile(data, taps=["sum", "y", "sum"])
    answers = session.run({"x": X})
    assert list(answers) == ["y", "sum"]
    np.testing.assert_array_equal(answers["sum"], X + 1)
    assert data == tiny_model()


def test_null_answers_zeros_of_the_right_shape() -> None:
    answers = target("null").compile(tiny_model()).run({"x": X})
    np.testing.assert_array_equal(answers["y"], np.zeros((1, 1), np.float32))


@pytest.mark.parametrize("name", ["local", "reference", "null"])
@pytest.mark.parametrize(
    ("feeds", "error"),
    [
        ({}, TargetError),
        ({"z": X}, UnknownName),
        ({"x": X.astype(np.float64)}, TargetError),
        ({"x": X[0]}, TargetError),
    ],
)
def test_wrong_feeds_are_named(name: str, feeds: dict, error: type) -> None:
    session = target(name).compile(tiny_model())
    with pytest.raises(error, match=r"'x'|'z'"):
        session.run(feeds)


@pytest.mark.parametrize("name", ["local", "reference", "null"])
@pytest.mark.parametrize("data", [b"", b"no model", tiny_model()[:40]])
def test_a_broken_file_is_a_model_error(name: str, data: bytes) -> None:
    with pytest.raises(ModelError):
        target(name).compile(data)


@pytest.mark.parametrize("name", ["local", "reference", "null"])
def test_an_unknown_inner_tensor_is_refused(name: str) -> None:
    with pytest.raises(TargetError, match="no tensor 'nothing'"):
        target(name).compile(tiny_model(), taps=["nothing"])


@pytest.mark.parametrize("name", ["local", "reference"])
def test_an_unknown_operator_is_refused_without_internals(name: str) -> None:
    model = onnx.load_model_from_string(tiny_model())
    model.graph.node[1].op_type = "Reluu"
    with pytest.raises((ModelError, TargetError), match="Reluu") as caught:
        target(name).compile(model.SerializeToString())
    assert "ONNXRuntimeError" not in str(caught.value)


def test_a_file_compiles_like_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_model())
    for name in ("local", "reference", "null"):
        assert list(target(name).compile(path).run({"x": X})) == ["y"]


def test_every_runtime_has_a_target() -> None:
    by_device = {target(name).runtime for name in ("local", "reference", "null")}
    assert by_device == {"onnxruntime", "reference", "null"}
    assert by_device < set(RUNTIMES)  # any device may run the others beside its usual one
