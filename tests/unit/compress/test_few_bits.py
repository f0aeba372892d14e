"""Few-bit weights: rounding, patches, biases, widths and storage, on cases small enough to compute by
hand."""

from __future__ import annotations

import itertools
from importlib import import_module

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

import nets
from paredown._compress.compress import compress
from paredown._compress.draft import Draft
from paredown._compress.layerwise.im2col import (
    FEW_BITS,
    answer_taps,
    im2col,
    indices,
    positions,
)
from paredown._compress.layerwise.reconstruction import layers_of
from paredown._compress.pack.codebook import kmeans
from paredown._compress.presets import PRESETS, parse_recipe
from paredown._compress.quantize.rounding.gptq import DAMPING, round_rows
from paredown._compress.quantize.static import Static4, apply
from paredown._compress.quantize.writing.qdq import float_name
from paredown._compress.recipe import Context
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.graph.taps import Tapped
from paredown.graph.walk import to_ir
from paredown.model import Model
from paredown.numerics import levels
from paredown.numerics.levels import fitted
from paredown.numerics.quant_params import binary, symmetric, weight_limits, whole

INT4 = whole(-7, 7)


@pytest.fixture(scope="module")
def wide() -> Model:
    """Five convolutions of which the middle three hold most weights."""
    net = nets.Net(seed=5)
    x = net.silu(net.conv("image", 3, 16))
    for _ in range(3):
        x = net.silu(net.conv(x, 16, 16))
    return prepare(net.model(net.conv(x, 16, 4, 1)))


def bits(model: Model) -> dict[str, int]:
    made = nets.compressed(model, "w4a8-pc-mse")
    return {r.where: int(str(r.data["weight_bits"])) for r in made.log if "weight_bits" in r.data}


def test_rounding_by_hand() -> None:
    """w = (0.4, 0.4), inputs nearly equal: the second weight makes up for what the first one lost."""
    h = np.array([[1.0, 0.9], [0.9, 1.0]], np.float32)
    w = np.array([[0.4, 0.4]], np.float32)
    # q0 = round(0.4) = 0, e0 = -0.4; M_01 / M_11 = 0.9 / (1 + damping); q1 = round(0.4 + 0.4 * 0.82) = 1
    assert 0.4 + 0.4 * 0.9 / (1 + DAMPING) > 0.5
    assert round_rows(w, h, INT4).tolist() == [[0.0, 1.0]]


def test_uncorrelated_inputs_round_to_the_nearest() -> None:
    w = np.random.default_rng(0).normal(size=(5, 130)).astype(np.float32) * 3
    h = np.diag(np.random.default_rng(1).random(130) + 0.1).astype(np.float32)
    assert np.array_equal(round_rows(w, h, INT4), np.clip(np.rint(w), -7, 7))


@pytest.mark.parametrize("seed", range(5))
def test_never_far_from_the_best_rounding(seed: int) -> None:
    """Against every rounding up or down of six weights: between the best and the nearest, on average."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(200, 6)) + 2 * rng.normal(size=(200, 1))
    h = (np.cov(x.T) + np.eye(6) * 0.01).astype(np.float32)
    w = (rng.random((20, 6)) * 6 - 3).astype(np.float32)

    def cost(q: np.ndarray) -> np.ndarray:
        return np.einsum("ok,kl,ol->o", q - w, h, q - w)

    best = np.min([cost(np.floor(w) + np.array(up)) for up in itertools.product((0, 1), repeat=6)], axis=0)
    got = cost(round_rows(w, h, INT4))
    assert got.sum() < 0.7 * cost(np.rint(w)).sum()
    assert got.sum() < 3 * best.sum()


@pytest.mark.parametrize("name", ["detector", "depthwise", "classifier", "attention"])
def test_patches_times_rows_are_the_layer(name: str) -> None:
    """Every sampled patch times the float weight rows is one position of the layer's float output."""
    model = prepare(nets.NETS[name]())
    float_weights = {n.name: n.input[1:] for n in to_proto(model).graph.node}
    constants = {t.name: numpy_helper.to_array(t) for t in to_proto(model).graph.initializer}
    draft = Draft(to_ir(model))
    apply(Static4(), draft, Context(model, nets.feeds, nets.ANY_BOARD, nets.POLICY))
    layers, _ = layers_of(draft, "")
    assert layers
    image = nets.images(1)[0]
    at = positions(layers, FEW_BITS, seed=0)
    tapped = Tapped(model, answer_taps(layers, at))
    feeds = {"image": image}
    assert list(tapped.passing([feeds])) == [feeds]
    for layer, place, (y,) in zip(layers, at, tapped.kept, strict=True):
        where = indices(layer, place)
        x = im2col(where, tensor(model, layer.source, image), 0.0)
        weight, *bias = float_weights[str(layer.node.name)]
        rows = layer.rows(constants[weight])
        assert np.array_equal(layer.shaped(rows), constants[weight])
        got = np.einsum("ngk,gok->ngo", x, rows).reshape(len(x), -1)
        got = got + constants[bias[0]].reshape(-1) if bias else got
        want = tensor(model, float_name(layer.node.outputs[0]), image)
        want = np.moveaxis(want, 1, -1) if layer.node.op_type == "Conv" else want
        assert np.abs(got - y).max() < 1e-4 * np.ptp(want)
        # Two graphs with other outputs: on some processors the runtime sums in another order.
        assert np.abs(y - want.reshape(-1, want.shape[-1])[place]).max() < 1e-6 * np.ptp(want)


def test_no_more_is_drawn_than_fits(wide: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = Draft(to_ir(wide))
    apply(Static4(), draft, Context(wide, nets.feeds, nets.ANY_BOARD, nets.POLICY))
    layers, _ = layers_of(draft, "")
    many = [len(at) for at in positions(layers, FEW_BITS, seed=0)]
    patches_module = import_module("paredown._compress.layerwise.im2col")
    monkeypatch.setattr(patches_module, "BUDGET", 192 * 4 * 68 * 10)
    few = [len(at) for at in positions(layers, FEW_BITS, seed=0)]
    assert all(1 <= n < m for n, m in zip(few, many, strict=True))
    monkeypatch.setattr(patches_module, "BUDGET", 1)
    assert {len(at) for at in positions(layers, FEW_BITS, seed=0)} == {1}


def tensor(model: Model, name: str, image: np.ndarray, dtype: int = TensorProto.FLOAT) -> np.ndarray:
    """A tensor inside a model, by making it the only output."""
    proto = to_proto(model)
    del proto.graph.output[:]
    proto.graph.output.append(helper.make_tensor_value_info(name, dtype, None))
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {model.inputs[0].name: image})[0])


def test_first_small_and_head_layers_keep_eight_bits(wide: Model) -> None:
    assert list(bits(wide).values()) == [8, 4, 4, 4, 8]


def test_depthwise_layers_keep_eight_bits() -> None:
    found = nets.compressed(prepare(nets.depthwise()), "w4a8-pc-mse")
    assert any("depthwise" in r.why for r in found.log)


def test_all_layers_when_asked(wide: Model) -> None:
    made = nets.compressed(wide, "w4a8-pc-mse-all")
    assert {r.data["weight_bits"] for r in made.log if "weight_bits" in r.data} == {4}


def test_second_order_rounding_is_closer(wide: Model) -> None:
    image = nets.images(1, seed=3)[0]
    want = nets.run(wide, image)[0]
    plain, better = (
        nets.agreement(want, nets.run(nets.compressed(wide, r).model, image)[0])
        for r in ("w4a8-pc-mse", "w4a8-pc-mse+gptq")
    )
    assert better < plain


def test_biases_take_a_shift_back(wide: Model) -> None:
    """At the last layer the median difference to the float network is gone."""
    made = nets.compressed(wide, "w4a8-pc-mse+bc").model
    plain = nets.compressed(wide, "w4a8-pc-mse").model

    def shift(model: Model) -> float:
        apart = [nets.run(wide, x)[0] - nets.run(model, x)[0] for x in nets.images()]
        return float(np.abs(np.median(np.concatenate(apart), axis=(0, 2, 3))).max())

    assert shift(made) < 0.5 * shift(plain)


@pytest.mark.parametrize(
    ("recipe", "dtype"),
    [
        ("w4a8-pc-mse", TensorProto.UINT4),
        ("w4a8-pc-mse-even", TensorProto.INT4),
        ("w2a8-pc-mse", TensorProto.INT2),
    ],
)
def test_packed_weights_run_as_int8(wide: Model, recipe: str, dtype: int) -> None:
    """The same answer_taps, the same graph after loading, packed bytes in the file."""
    plain, packed = nets.compressed(wide, recipe).model, nets.compressed(wide, f"{recipe}+pack").model
    image = nets.images(1)[0]
    assert np.array_equal(nets.run(plain, image)[0], nets.run(packed, image)[0])
    assert nets.ops(nets.optimized(plain).graph.node) == nets.ops(nets.optimized(packed).graph.node)
    stored = [t for t in to_proto(packed).graph.initializer if t.data_type == dtype]
    per_byte = 4 if dtype == TensorProto.INT2 else 2
    assert len(stored) == 3
    assert all(len(t.raw_data) == int(np.prod(t.dims)) // per_byte for t in stored)
    onnx.checker.check_model(to_proto(packed))


def test_metadata_survives_packing() -> None:
    model = nets.compressed(prepare(nets.detector()), "w4a8-pc-mse-all+pack").model
    assert model.metadata["stride"] == "2"


def test_the_preset_packs(wide: Model) -> None:
    made = compress(parse_recipe("int4"), Context(wide, nets.feeds, nets.ANY_BOARD, nets.POLICY))
    assert PRESETS["int4"][0].endswith("+pack")
    assert len(made.model.data) < 0.6 * len(wide.data)


def test_tables_hold_what_they_stand_for() -> None:
    """Few values are kept exactly; of many, every entry is the mean of its own."""
    w = np.array([[0.0, 1.0, 2.0], [10.0, 11.0, 12.0]])
    assert kmeans(w, 16).table.tolist() == [0, 1, 2, 10, 11, 12]
    many = np.random.default_rng(0).normal(size=4000)
    book = kmeans(many, 16)
    table, index = book.table, book.indices
    assert len(table) == 16
    for k, centre in enumerate(table):
        assert abs(many[index == k].mean() - centre) < 0.05


@pytest.mark.parametrize("recipe", ["cluster", "w8a8-pc-mse+cluster"])
def test_codebooks_fold_when_loaded(wide: Model, recipe: str) -> None:
    made = nets.compressed(wide, recipe).model
    assert sum(t.data_type == TensorProto.UINT4 for t in to_proto(made).graph.initializer) == 3
    assert not {"Gather", "Cast"} & set(nets.ops(nets.optimized(made).graph.node))


def test_activations_of_four_bits_use_sixteen_values(wide: Model) -> None:
    """What the few-bit layers read is clipped to 0..15; the image and what spared layers read is not."""
    made = nets.compressed(wide, "w4a4-pc-mse").model
    graph = to_proto(made).graph
    clips = [n for n in graph.node if n.op_type == "Clip"]
    assert len(clips) == 3
    for clip in clips:
        integers = tensor(made, clip.output[0], nets.images(1)[0], TensorProto.UINT8)
        assert set(np.unique(integers)) <= set(range(16))
    assert nets.ops(nets.optimized(made).graph.node)["QLinearConv"] == 5


def test_binary_weights_by_hand() -> None:
    """alpha = mean |w| of each row; zero counts as plus."""
    grid = binary(np.array([[1.0, -3.0], [0.0, 1.0]], np.float32), 0)
    assert grid.scale.tolist() == [2.0, 0.5]
    assert grid.quantize(np.array([[1.0, -3.0], [0.0, 1.0]])).tolist() == [[1, -1], [1, 1]]


def test_binary_weights_are_signs_and_stored_in_two_bits(wide: Model) -> None:
    made = nets.compressed(wide, "w1a4-pc-mse-ends+gptq+pack")
    stored = [t for t in to_proto(made.model).graph.initializer if t.data_type == TensorProto.INT2]
    assert len(stored) == 3
    assert all(set(np.unique(numpy_helper.to_array(t).astype(int))) == {-1, 1} for t in stored)
    assert sum("signs" in r.why for r in made.log if r.step == "gptq") == 3


def test_levels_by_hand() -> None:
    """Two rows of the same four values, one three times the other: four levels hold both exactly."""
    row = np.array([[-1.0, 0.0, 2.0, 3.0]], np.float32)
    w = np.concatenate([row, 3 * row])
    grid = fitted(w, 0, bits=2)
    assert grid.levels.tolist() == [-21, 0, 42, 63]
    assert grid.bits == 2
    assert np.allclose(grid.snap(w), w, atol=1e-6)
    assert grid.nearest(np.array([-10.4, -10.6, 52.4, 99.0])).tolist() == [0, -21, 42, 63]


def test_levels_near_by_share_of_the_gap() -> None:
    grid = levels.of(np.array([-8, 0, 20]))
    got = grid.beside(np.array([0.0, 0.0, 0.0, 20.0]), np.array([-7.0, 3.0, 9.0, 30.0]), 0.25)
    assert got.tolist() == [-2.0, 3.0, 5.0, 20.25]


def test_rounding_onto_levels_by_hand() -> None:
    """As `test_rounding_by_hand`, with levels 0 and 10 of which the second is as far as 1 was there."""
    grid = levels.of(np.array([0, 10]))
    h = np.array([[1.0, 0.9], [0.9, 1.0]], np.float32)
    assert round_rows(np.array([[4.0, 4.0]], np.float32), h, grid).tolist() == [[0.0, 10.0]]


def test_uneven_levels_are_nearer_than_even_ones(wide: Model) -> None:
    image = nets.images(1, seed=3)[0]
    want = nets.run(wide, image)[0]
    uneven, even = (
        nets.agreement(want, nets.run(nets.compressed(wide, r).model, image)[0])
        for r in ("w4a8-pc-mse+gptq", "w4a8-pc-mse-even+gptq")
    )
    assert uneven < even


def test_learning_keeps_the_levels(wide: Model) -> None:
    """What was learned is still stored in 4 bits, and the runtime answers as the executor does."""
    pytest.importorskip("torch")
    made = nets.compressed(wide, "w4a8-pc-mse+gptq+qat-steps100-rate0.01+pack")
    stored = [t for t in to_proto(made.model).graph.initializer if t.data_type == TensorProto.UINT4]
    assert len(stored) == 3
    assert any(float(str(r.data["moved"])) > 0 for r in made.log if "moved" in r.data)


def test_the_levels_around_by_hand() -> None:
    grid = levels.of(np.array([-8, 0, 20]))
    below, above = grid.around(np.array([-9.0, -3.0, 0.0, 19.0, 21.0]))
    assert below.tolist() == [-8, -8, 0, 0, 20]
    assert above.tolist() == [-8, 0, 20, 20, 20]


def test_constants_of_few_numbers_take_a_byte_each(wide: Model) -> None:
    """A grid of cells, 16 x 16 numbers twice over, read twice: bit by bit the same, folded when loaded."""
    net = nets.Net(seed=6)
    cells = np.tile(np.repeat(np.arange(16, dtype=np.float32) - 0.5, 16), 2).reshape(1, 2, 16, 16)
    cells[0, 1, 0, 0] = -0.0
    grid = net.constant(cells)
    x = net.conv(net.node("Relu", net.conv("image", 3, 32)), 32, 2, 1)
    model = prepare(net.model(net.node("Mul", net.node("Add", x, grid), grid)))
    packed = nets.compressed(model, "w4a8-pc-mse-all+pack").model
    plain = nets.compressed(model, "w4a8-pc-mse-all").model
    image = nets.images(1)[0]
    assert np.array_equal(nets.run(plain, image)[0], nets.run(packed, image)[0])
    kept = {t.name: t for t in to_proto(packed).graph.initializer}
    read = [kept[n.input[0]] for n in to_proto(packed).graph.node if n.op_type == "Gather"]
    table = next(t for t in read if t.data_type == TensorProto.FLOAT)
    assert np.signbit(numpy_helper.to_array(table)[numpy_helper.to_array(table) == 0]).all()
    assert not any(t.data_type == TensorProto.FLOAT and np.prod(t.dims) == 512 for t in kept.values())
    assert not {"Gather", "Cast"} & set(nets.ops(nets.optimized(packed).graph.node))


def test_a_file_says_no_shape_of_what_says_it_itself(wide: Model) -> None:
    graph = to_proto(nets.compressed(wide, "w8a8-pc-mse").model).graph
    assert graph.value_info
    assert not {v.name for v in graph.value_info} & {t.name for t in graph.initializer}


@pytest.mark.parametrize(("draw", "even", "levels"), [("normal", 19.0, 20.3), ("laplace", 16.0, 18.6)])
def test_signal_over_noise_by_distribution(draw: str, even: float, levels: float) -> None:
    """The figures of docs/int4.md, in dB."""
    w = getattr(np.random.default_rng(0), draw)(size=(64, 576)).astype(np.float32)
    grids = symmetric(weight_limits(w, 0, 4, 25), 4, 0), fitted(w, 0, 4)
    found = [10 * np.log10(np.square(w).mean() / np.square(g.snap(w) - w).mean()) for g in grids]
    assert found == pytest.approx([even, levels], abs=0.2)
