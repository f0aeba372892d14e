"""INT8 in ncnn: its layers hold the integers and scales of the model's pairs, and answer as those say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nets
from paredown._compress.compress import compress
from paredown._compress.presets import spelled
from paredown._compress.recipe import Context
from paredown.errors import MissingDependency, UnsupportedModel
from paredown.graph.prepare import prepare
from paredown.model import Model
from paredown.runtimes import ncnn, ncnn_int8, ncnn_layers, pnnx
from paredown.runtimes.ncnn_layers import Layer, Stored
from paredown.testing.runtimes import DEVICE

try:
    ncnn.version()
    pnnx._program()
except MissingDependency as error:
    pytest.skip(f"{error.what}: {error.hint}", allow_module_level=True)


def quantized(name: str, recipe: str = "int8") -> Model:
    source = prepare(nets.NETS[name]())
    policy = ncnn.policy(DEVICE)
    return compress(spelled(recipe), Context(source, nets.feeds, DEVICE, policy)).model


def layers_of(model: Model, folder: Path) -> list[Layer]:
    return list(ncnn_layers.read(*ncnn.build(model.data, DEVICE, folder).files[:2]))


@pytest.mark.parametrize("name", nets.NETS)
@pytest.mark.parametrize("recipe", ["int8", "w8a8-pt-minmax"])
def test_answers_are_those_of_the_pairs(tmp_path: Path, name: str, recipe: str) -> None:
    """To a few roundings of ties; where nothing stands between two roundings, to the order of sums."""
    model = quantized(name, recipe)
    session = ncnn.open(ncnn.build(model.data, DEVICE, tmp_path), threads=1)
    image = nets.images(1, seed=9)[0]
    answers = session.run({model.inputs[0].name: image})
    for want, got in zip(nets.run(model, image), answers.values(), strict=True):
        assert nets.agreement(want, got) < 0.005


def test_every_layer_of_the_pairs_is_one_of_integers(tmp_path: Path) -> None:
    """Four convolutions read integers; the second writes them for the third, which alone reads it."""
    model = quantized("residual")
    layers = [layer for layer in layers_of(model, tmp_path) if layer.arrays]
    assert [layer.number(8) for layer in layers] == [1, 101, 1, 1]
    for layer in layers:
        assert [s.data.dtype for s in layer.arrays[:2]] == [np.int8, np.float32]
        assert [len(s.data) for s in layer.arrays[2:4]] == [layer.number(0), 1]
    float_bytes = ncnn.build(nets.residual().data, DEVICE, tmp_path).files[1].stat().st_size
    assert sum(s.data.nbytes for layer in layers for s in layer.arrays) < 0.5 * float_bytes


def test_layers_of_one_weight_keep_their_own_scales(tmp_path: Path) -> None:
    """Heads share weights on every level of a detector: marks tell them apart, weights cannot."""
    net = nets.Net()
    first = net.conv("image", 3, 4)
    weight = net.constant(np.random.default_rng(0).normal(0, 0.3, (4, 4, 3, 3)).astype(np.float32))
    near = net.node("Conv", first, weight, pads=[1, 1, 1, 1])
    far = net.node("Conv", net.node("AveragePool", first, kernel_shape=[4, 4]), weight, pads=[1, 1, 1, 1])
    source = prepare(net.model(near, far))
    context = Context(source, nets.feeds, DEVICE, ncnn.policy(DEVICE))
    model = compress(spelled("w8a8-pc-minmax"), context).model
    found = [layer for layer in layers_of(model, tmp_path) if layer.number(8)]
    assert len(found) == 3
    assert len({float(layer.arrays[3].data[0]) for layer in found}) == 3


@pytest.mark.parametrize("kind", ["zero point", "float reader", "float weights"])
def test_what_ncnn_cannot_compute_is_named(tmp_path: Path, kind: str) -> None:
    net = nets.Net()
    zero = np.array(3 if kind == "zero point" else 0, np.int8)
    scale, zero_point = net.constant(np.array(0.01, np.float32)), net.constant(zero)
    integers = net.node("QuantizeLinear", "image", scale, zero_point)
    real = net.node("DequantizeLinear", integers, scale, zero_point)
    made = net.node("Sigmoid", real) if kind == "float reader" else net.conv(real, 3, 4)
    with pytest.raises(UnsupportedModel, match="cannot be computed in integers by ncnn") as caught:
        ncnn.build(net.model(made).data, DEVICE, tmp_path)
    assert "--runtime ncnn" in str(caught.value)


def test_a_group_of_channels_with_several_scales_is_named() -> None:
    layer = Layer("ConvolutionDepthWise", "c", ("a",), ("b",), {0: "4", 7: "2"}, (Stored(np.ones(8)),) * 2)
    integers = ncnn_int8.Integers(
        "node 7", np.ones((4, 2), np.int8), np.arange(1, 5, dtype=np.float32), np.zeros(4, np.float32), 0.1
    )
    with pytest.raises(UnsupportedModel, match="node 7"):
        ncnn_int8._rewritten(layer, integers, None)


def test_a_layer_that_pnnx_changed_is_not_taken_for_another() -> None:
    """The mark alone is not enough: the weights must be those of the pairs."""
    integers = ncnn_int8.Integers(
        "node 7", np.ones((2, 3), np.int8), np.ones(2, np.float32), np.zeros(2, np.float32), 0.1
    )
    mark = Stored(np.full(2, ncnn_int8.FIRST_MARK, np.float32))
    for weight, known in ((np.ones(6, np.float32), True), (np.full(6, 2, np.float32), False)):
        layer = Layer("Convolution", "c", ("a",), ("b",), {}, (Stored(weight, True), mark))
        if known:
            assert ncnn_int8.recognized([layer], [integers]) == {layer: integers}
        else:
            with pytest.raises(UnsupportedModel, match="node 7"):
                ncnn_int8.recognized([layer], [integers])


def test_files_are_written_as_they_were_read(tmp_path: Path) -> None:
    files = ncnn.build(quantized("depthwise").data, DEVICE, tmp_path).files[:2]
    again = (tmp_path / "again.param", tmp_path / "again.bin")
    ncnn_layers.write(ncnn_layers.read(*files), *again)
    assert [f.read_bytes() for f in again] == [f.read_bytes() for f in files]


def test_weights_of_an_unknown_kind_are_refused(tmp_path: Path) -> None:
    files = ncnn.build(nets.residual().data, DEVICE, tmp_path).files[:2]
    files[1].write_bytes(files[1].read_bytes() + b"more")
    with pytest.raises(UnsupportedModel, match="not known here"):
        ncnn_layers.read(*files)
