"""What every runtime in RUNTIMES must do. `null` computes nothing: its values are not compared."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from paredown.runtimes import RUNTIMES
from paredown.runtimes import runtime as find_runtime

NAMES = sorted(RUNTIMES)


def small_network() -> bytes:
    """Conv, Sigmoid, Mul, MaxPool and a 1x1 Conv: the operators of a detector, one of each."""
    rng = np.random.default_rng(3)
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.3, shape).astype(np.float32), name)
        for name, shape in [("w1", (4, 3, 3, 3)), ("b1", (4,)), ("w2", (2, 4, 1, 1))]
    ]
    nodes = [
        helper.make_node("Conv", ["image", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["c1"], ["s1"]),
        helper.make_node("Mul", ["c1", "s1"], ["a1"]),
        helper.make_node("MaxPool", ["a1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "w2"], ["answer"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [1, 2, 4, 4])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


IMAGE = np.random.default_rng(4).random((1, 3, 8, 8), dtype=np.float32)


@pytest.mark.parametrize("runtime", NAMES)
def test_specs_and_answers_agree(runtime: str) -> None:
    session = find_runtime(runtime).compile(small_network(), threads=1)
    (given,), (answered,) = session.inputs, session.outputs
    assert (given.name, given.shape, given.dtype) == ("image", (1, 3, 8, 8), "float32")
    (answer,) = session.run({"image": IMAGE}).values()
    assert answer.shape == answered.shape == (1, 2, 4, 4)
    assert answer.dtype == np.dtype(answered.dtype)


@pytest.mark.parametrize("runtime", [r for r in NAMES if r != "null"])
def test_values_agree_with_the_reference(runtime: str) -> None:
    feeds, inner = {"image": IMAGE}, ["c1", "a1"]
    truth = find_runtime("reference").compile(small_network(), extra_outputs=inner).run(feeds)
    found = find_runtime(runtime).compile(small_network(), extra_outputs=inner).run(feeds)
    assert list(found) == ["answer", *inner]
    for name, value in truth.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("runtime", NAMES)
def test_the_same_question_gets_the_same_answer(runtime: str, tmp_path: Path) -> None:
    data, path = small_network(), tmp_path / "small.onnx"
    path.write_bytes(data)
    compile_model, image = find_runtime(runtime).compile, IMAGE.copy()
    first = compile_model(data).run({"image": image})["answer"].copy()
    second = compile_model(path).run({"image": image})["answer"]
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(image, IMAGE)
    assert data == small_network()
    assert path.read_bytes() == data
