"""Learned rounding and the samples it stands on, on cases small enough to compute by hand."""

from __future__ import annotations

import numpy as np
import pytest

import nets
from paredown._compress.draft import Draft
from paredown._compress.layerwise.reconstruction import layer_samples, layers_of
from paredown._compress.quantize.static import Static, apply
from paredown._compress.quantize.writing.qdq import replace_constant
from paredown._compress.recipe import Context
from paredown.graph.prepare import prepare
from paredown.graph.walk import constant, to_ir
from paredown.numerics.quant_params import whole
from paredown.numerics.ranges import PerChannel

torch = pytest.importorskip("torch", reason="pip install 'paredown[train]'")

from paredown._compress.quantize.rounding.adaround import (  # noqa: E402
    Problem,
    _identity,
    _rectified,
    _shaped,
    _torched,
    learn,
)


def problem(w: np.ndarray, x: np.ndarray, low: int = -7, high: int = 7) -> Problem:
    """One group whose real weights give the wanted answers; a step of its sums is worth 0.1."""
    real, read = torch.from_numpy(w.astype(np.float32)[None]), torch.from_numpy(x.astype(np.float32)[None])
    unit, bias = torch.full((1, 1, len(w)), 0.1), torch.full((1, 1, len(w)), 0.3)
    wanted = torch.bmm(read, real.transpose(1, 2)) * 0.1 + 0.3
    grid = whole(low, high)
    below, above = (torch.from_numpy(side.astype(np.float32)) for side in grid.around(real.numpy()))
    return Problem(real, read, wanted, unit, bias, _identity, below, above)


def test_the_rectified_sigmoid_by_hand() -> None:
    """sigmoid(v) 1.2 - 0.1, cut at 0 and 1: a half at 0, reached at both ends."""
    v = torch.tensor([-10.0, 0.0, np.log(3.0), 10.0])
    assert _rectified(v).tolist() == pytest.approx([0.0, 0.5, 0.8, 1.0])


def test_two_weights_that_read_the_same_by_hand() -> None:
    """w = (0.45, 0.4) on equal inputs: the sum 0.85 is nearer to 1 than to 0, so one of them goes up."""
    x = np.repeat(np.random.default_rng(0).normal(size=(200, 1)), 2, axis=1)
    q, shift = learn(problem(np.array([[0.45, 0.4]]), x), 200, seed=0, free_bias=False)
    assert sorted(q.reshape(-1).tolist()) == [0.0, 1.0]
    assert float(shift.abs().max()) == 0.0


def test_a_mean_error_goes_into_the_bias() -> None:
    """One input that never changes: 0.4 x is made by no integer, but by a bias."""
    q, shift = learn(problem(np.array([[0.4]]), np.full((64, 1), 5.0) + 1e-3), 300, seed=0, free_bias=True)
    answered = float(q) * 5 * 0.1 + float(shift)
    assert abs(answered - 0.4 * 5 * 0.1) <= abs(round(0.4) - 0.4) * 5 * 0.1


@pytest.mark.parametrize("seed", range(3))
def test_nearer_than_rounding_to_the_nearest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(600, 24)) + 2 * rng.normal(size=(600, 1))
    given = problem((rng.random((8, 24)) * 10 - 5), x)
    q, _ = learn(given, 300, seed=0, free_bias=False)
    assert float(given.error(q).sum()) < 0.75 * float(given.error(given.w.round()).sum())
    assert float((q - given.w).abs().max()) < 1  # up or down, nothing else


def test_integers_stay_on_their_grid() -> None:
    w = np.array([[9.3, -9.3, 6.9, 0.2]])
    q, _ = learn(problem(w, np.random.default_rng(0).normal(size=(50, 4))), 50, seed=0, free_bias=False)
    assert q.min() >= -7
    assert q.max() <= 7


def test_a_numpy_function_gets_its_gradient() -> None:
    x = torch.linspace(-3, 3, 7, requires_grad=True)
    made = _torched(np.sin)(x)
    torch.autograd.backward(made.sum())
    assert torch.allclose(made, torch.sin(x))
    assert x.grad is not None
    assert torch.allclose(x.grad, torch.cos(x.detach()), atol=1e-3)


def test_a_factor_for_every_channel_finds_its_channel() -> None:
    """Two groups of three: the factors 1..6 stand at their channels, whatever n is."""
    function = _shaped(PerChannel(lambda x, f: x * f, np.arange(1, 7, dtype=np.float32)), 2, 3)
    made = function(np.ones((2, 5, 3), np.float32))
    assert made[0, 0].tolist() == [1, 2, 3]
    assert made[1, 4].tolist() == [4, 5, 6]


@pytest.mark.parametrize("name", ["detector", "depthwise", "classifier", "attention"])
def test_what_a_layer_reads_and_answers_fit_each_other(name: str) -> None:
    """With 8-bit weights, what a layer makes of what it reads is nearly what it should answer."""
    model = prepare(nets.NETS[name]())
    context = Context(model, nets.feeds, nets.ANY_BOARD, nets.POLICY)
    draft = Draft(to_ir(model))
    apply(Static(), draft, context)
    for samples in layer_samples(draft, layers_of(draft, "")[0], context):
        rows = samples.layer.rows(np.asarray(constant(samples.layer.weight.inputs[0])))
        made = np.einsum("ngk,gok->ngo", samples.read.astype(np.float32) - samples.layer.zero, rows)
        assert np.abs(made - samples.wanted).mean() < 0.05 * np.ptp(samples.wanted)


def test_each_layer_reads_what_the_one_before_has_become() -> None:
    """Zeroed weights in front are seen at once: the next layer reads one value everywhere."""
    model = prepare(nets.NETS["residual"]())
    context = Context(model, nets.feeds, nets.ANY_BOARD, nets.POLICY)
    draft = Draft(to_ir(model))
    apply(Static(), draft, context)
    taken = layer_samples(draft, layers_of(draft, "")[0], context)
    first = next(taken)
    stored = first.layer.weight.inputs[0]
    assert stored is not None
    assert first.read.std() > 0
    replace_constant(stored, np.zeros_like(np.asarray(constant(stored))))
    second = next(taken)
    middle = second.read[:, :, second.read.shape[2] // 2]
    assert np.ptp(middle, axis=0).max() == 0


@pytest.mark.parametrize("recipe", ["gptq", "adaround"])
def test_closer_than_the_nearest(recipe: str) -> None:
    source = prepare(nets.NETS["attention"]())
    image = nets.images(1, seed=3)[0]
    want = nets.run(source, image)[0]
    plain, better = (
        nets.agreement(want, nets.run(nets.compressed(source, r, threads=1).model, image)[0])
        for r in ("w4a8-all", f"w4a8-all+{recipe}")
    )
    assert better < 0.6 * plain


def test_a_bias_of_a_convolution_moves_and_is_told() -> None:
    source = prepare(nets.NETS["classifier"]())
    made = nets.compressed(source, "w4a8-all+adaround-steps50", threads=1)
    told = [r for r in made.log if r.step.startswith("adaround")]
    assert told
    assert all(r.action == "changed" and 0 <= float(str(r.data["error_left"])) <= 1 for r in told)
