"""Weight-only, dynamic and the stock quantizers."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

import nets
from paredown.errors import CalibrationError
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.model import Model


def constants(model: Model) -> dict[str, np.ndarray]:
    return {t.name: numpy_helper.to_array(t) for t in to_proto(model).graph.initializer}


def drift(name: str, recipe: str) -> float:
    """The largest disagreement with the float model over outputs and images."""
    model = prepare(nets.NETS[name]())
    made = nets.compressed(model, recipe).model
    onnx.checker.check_model(to_proto(made), full_check=True)
    images = nets.images(3, seed=9)
    pairs = [p for i in images for p in zip(nets.run(model, i), nets.run(made, i), strict=True)]
    return max(nets.agreement(want, got) for want, got in pairs)


@pytest.mark.parametrize("name", nets.NETS)
@pytest.mark.parametrize(
    ("recipe", "limit"), [("w8-pc", 0.03), ("w8-pt", 0.05), ("dynamic", 0.05), ("ort-dynamic", 0.08)]
)
def test_close_to_float(name: str, recipe: str, limit: float) -> None:
    assert drift(name, recipe) < limit


@pytest.mark.parametrize("recipe", ["pt-minmax", "pc-percentile-tail", "pt-entropy-tail-rr"])
def test_stock_static_runs(recipe: str) -> None:
    """How good it is is its own affair; on an easy network it is close."""
    assert drift("residual", f"ort-static-{recipe}") < 0.2


def test_weight_only_is_folded_at_load() -> None:
    model = prepare(nets.residual())
    made = nets.compressed(model, "w8").model
    assert nets.ops(to_proto(made).graph.node)["Cast"] == 4
    found = nets.optimized(made).graph
    want = nets.ops(nets.optimized(model).graph.node)
    assert nets.ops(found.node) == want
    assert "Cast" not in want
    assert {t.data_type for t in found.initializer if len(t.dims) == 4} == {TensorProto.FLOAT}


def test_weight_only_makes_a_smaller_file() -> None:
    net = nets.Net()
    x = net.conv("image", 3, 64)
    for _ in range(2):
        x = net.conv(x, 64, 64)
    model = prepare(net.model(x))
    assert nets.compressed(model, "w8").model.size_bytes < 0.3 * model.size_bytes


def test_weight_only_rounds_and_nothing_else() -> None:
    model = prepare(nets.residual())
    before, after = constants(model), constants(nets.compressed(model, "w8").model)
    for node in to_proto(model).graph.node:
        if node.op_type == "Conv":
            integers, scale = after[f"{node.name}_weight_q"], after[f"{node.name}_weight_scale"]
            assert integers.dtype == np.int8
            assert np.all(np.abs(integers * scale - before[node.input[1]]) <= scale / 2 * (1 + 1e-5))


def test_dynamic_needs_no_image_and_shares_one_measured_grid() -> None:
    model = prepare(nets.attention())
    made = nets.compressed(model, "dynamic", given=lambda: [])
    found = nets.ops(to_proto(made.model).graph.node)
    assert found["MatMulInteger"] == 4
    assert found["ConvInteger"] == 1
    assert found["DynamicQuantizeLinear"] == 3  # image, tokens (read three times), attended tokens


def test_dynamic_leaves_the_tail_and_what_has_no_integer_form() -> None:
    log = nets.compressed(prepare(nets.classifier()), "dynamic").log
    assert [(r.action, r.data["op"]) for r in log] == [("quantized", "Conv")] * 2 + [("quantized", "Gemm")]
    net = nets.Net()
    x = net.node("Flatten", net.node("GlobalAveragePool", net.conv("image", 3, 8)))
    factor = net.model(net.node("Gemm", x, net.normal(8, 4), net.normal(4), alpha=0.5))
    last = nets.compressed(prepare(factor), "dynamic").log[-1]
    assert (last.action, last.why) == (
        "float",
        "ONNX has no integer form of a Gemm with factors or a transposed input",
    )
    tail = nets.compressed(prepare(nets.detector()), "dynamic").log[-1]
    assert tail.action == "float"
    assert "decode tail" in tail.why


def test_dynamic_weights_have_seven_bits_where_the_device_saturates() -> None:
    model = prepare(nets.residual())
    made = nets.compressed(model, "dynamic", device=replace(nets.ANY_BOARD, saturates=True)).model
    weights = [
        numpy_helper.to_array(t) for t in to_proto(made).graph.initializer if t.data_type == TensorProto.INT8
    ]
    assert max(int(np.abs(w.astype(int)).max()) for w in weights if w.ndim == 4) == 63


def test_an_output_straight_from_a_layer_keeps_its_name() -> None:
    model = prepare(nets.residual())
    for recipe in ("dynamic", "w8", "ort-dynamic", "ort-static"):
        assert nets.compressed(model, recipe).model.outputs == model.outputs


def test_the_stock_tail_option_excludes_what_our_reading_of_the_graph_finds() -> None:
    model = prepare(nets.detector())
    (whole,), (tail,) = (nets.compressed(model, r).log for r in ("ort-static", "ort-static-tail"))
    assert whole.data["excluded"] == []
    excluded = tail.data["excluded"]
    assert isinstance(excluded, list)
    softmax = next(n.name for n in to_proto(model).graph.node if n.op_type == "Softmax")
    assert softmax in excluded


def test_stock_static_without_images() -> None:
    with pytest.raises(CalibrationError):
        nets.compressed(prepare(nets.residual()), "ort-static", given=lambda: [])


def test_stock_quantizers_leave_logging_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    before = logging.root.manager.disable
    nets.compressed(prepare(nets.residual()), "ort-dynamic")
    assert logging.root.manager.disable == before
    assert not caplog.records
