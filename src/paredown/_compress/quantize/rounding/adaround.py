"""AdaRound: whether each weight is rounded up or down is learned, layer by layer, from what the layers read.

With w one real weight in steps of its grid, s its scale and v what is learned,

    w~   = s ( below(w) + h(v) (above(w) - below(w)) )                    (eq. 22)
    h(v) = clip( sigmoid(v) (zeta - gamma) + gamma, 0, 1 )                (eq. 23, the rectified sigmoid)
    least over v of  | f(W x) - f(W~ x^) |^2 + lambda sum 1 - |2 h(v) - 1|^beta    (eq. 25, eq. 24)

below and above are the integers of the grid on either side of w: floor(w) and floor(w) + 1, clipped, where
they are even. x are the float network's inputs of the layer and x^ the quantized network's, every layer in
front rounded already; f is the activation function behind the layer. beta falls, so that the second part
first leaves h alone and at last drives it to 0 or 1.

Source: Nagel et al. 2020, "Up or Down? Adaptive Rounding for Post-Training Quantization", arXiv 2004.10568.
Differs from the source: the layers are matrix products of sampled patches (layerwise/im2col.py); each output
channel's error counts relative to what rounding to the nearest costs it, so that one lambda suits all; the
bias is learned beside v, as a mean error can be undone there exactly; a few hundred steps of a larger rate
stand for ten thousand; a channel is kept only where it is better than what stood on patches not learned from.
In no preset: `gptq` wins back most of it in a fifteenth of the time, docs/rounding.md.

Shapes: G groups, O output channels of a group, K values in a patch, n sampled patches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from paredown._compress.draft import Draft
from paredown._compress.layerwise.reconstruction import LayerSamples, layer_samples, layers_of
from paredown._compress.quantize.ranges.post_activation import post_activation
from paredown._compress.quantize.rounding.gptq import HELD_OUT
from paredown._compress.quantize.rounding.settings import AdaRound
from paredown._compress.quantize.writing.qdq import replace_constant, shift_bias
from paredown._compress.recipe import Context
from paredown.graph.executor import threads
from paredown.graph.torch_ops import Tensor, torch
from paredown.graph.walk import constant, to_ir
from paredown.measurement import StepRecord
from paredown.numerics.ranges import Function, PerChannel

ZETA, GAMMA = 1.1, -0.1  # the source's, section 3.2
BETA = (20.0, 2.0)  # from, to
WARM_UP = 0.2  # of the steps: no regulariser yet, the source's
LAMBDA = 30.0  # of a channel's nearest-rounding error, for a weight halfway
RATE = 0.1  # v starts within +-2.4: a few hundred steps must be able to turn it
BIAS_RATE = 0.01  # of a channel's spread, a step
BATCH = 256  # patches

Torched = Callable[[Tensor], Tensor]


def apply(step: AdaRound, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Puts other integers into weights and biases; a record for every layer."""
    layers, log = layers_of(draft, step.name)
    source = to_ir(draft.float_model).graph if layers and draft.float_model is not None else ()
    after = {str(v.name): post_activation(v) for node in source for v in node.outputs}
    with threads(context.threads):
        for samples in layer_samples(draft, layers, context):
            log.append(_round_layer(step, samples, after[samples.layer.answer], context.seed))
    return tuple(log)


@dataclass(frozen=True)
class Problem:
    """One layer's rounding. What it answers, behind the function f, is f(unit q x + bias).

    w: (G, O, K) in steps. below, above: the integers on either side, (G, O, K). q: integers in place of w.
    x: (G, n, K) in steps. unit: (G, 1, O), what a step of weight times a step of input is worth.
    bias: (G, 1, O). wanted: (G, n, O) behind f.
    """

    w: Tensor
    x: Tensor
    wanted: Tensor
    unit: Tensor
    bias: Tensor
    f: Torched
    below: Tensor
    above: Tensor

    def part(self, rows: Tensor) -> Problem:
        """The same with some of the patches."""
        return replace(self, x=self.x[:, rows], wanted=self.wanted[:, rows])

    def answer(self, q: Tensor, shift: Tensor | float = 0.0) -> Tensor:
        """What the layer says with q for its weights and `shift` on its bias, (G, n, O)."""
        return self.f(torch.bmm(self.x, q.transpose(1, 2)) * self.unit + (self.bias + shift))

    def error(self, q: Tensor, shift: Tensor | float = 0.0) -> Tensor:
        """Mean squared error of every channel, (G, O)."""
        return (self.answer(q, shift) - self.wanted).square().mean(dim=1)


def learn(problem: Problem, steps: int, seed: int, free_bias: bool) -> tuple[Tensor, Tensor]:
    """The integers learned, (G, O, K), and what the bias shifts by, (G, 1, O): 0 where it is not free."""
    patches, below, gap = problem.x.shape[1], problem.below, problem.above - problem.below
    v = torch.nn.Parameter(-torch.log((ZETA - GAMMA) / (_up(problem) - GAMMA) - 1))
    spread = problem.wanted.std(dim=1, keepdim=True, correction=0)
    shift = torch.nn.Parameter(torch.zeros_like(spread))
    unit_error = _nearest_error(problem)
    groups = [{"params": [v], "lr": RATE}, {"params": [shift], "lr": BIAS_RATE * free_bias}]
    optimizer = torch.optim.Adam(groups)
    rng = torch.Generator().manual_seed(seed)
    for step in range(steps):
        optimizer.zero_grad(set_to_none=True)
        h = _rectified(v)
        batch = problem.part(torch.randint(patches, (min(BATCH, patches),), generator=rng))
        error = batch.error(below + h * gap, shift * spread)
        loss = (error / unit_error).mean()
        done = step / steps
        if done >= WARM_UP:
            beta = BETA[0] + (BETA[1] - BETA[0]) * (done - WARM_UP) / (1 - WARM_UP)
            loss = loss + LAMBDA * (1 - (2 * h - 1).abs().pow(beta)).mean()
        torch.autograd.backward(loss)
        optimizer.step()
    with torch.no_grad():
        up = (_rectified(v) >= 0.5).float()
        return below + up * gap, (shift * spread).detach()


def _up(problem: Problem) -> Tensor:
    """How far up each weight is from the integer below to the one above, 0 to 1."""
    gap = problem.above - problem.below
    return torch.clamp((problem.w - problem.below) / gap.clamp_min(1), 0, 1)


def _rectified(v: Tensor) -> Tensor:
    """h(v), eq. 23."""
    return torch.clamp(torch.sigmoid(v) * (ZETA - GAMMA) + GAMMA, 0, 1)


def _nearest_error(problem: Problem) -> Tensor:
    """What rounding to the nearest does to every channel, (G, O): the unit in which errors count."""
    exact = replace(problem, wanted=problem.answer(problem.w))
    error = exact.error(torch.where(_up(problem) < 0.5, problem.below, problem.above))
    return error.clamp_min(1e-6 * problem.wanted.var(dim=1, correction=0) + 1e-12)


def _round_layer(
    step: AdaRound, samples: LayerSamples, after: Function | PerChannel | None, seed: int
) -> StepRecord:
    """Learns one layer's rounding; channels that are no better on held-out patches stay as they were."""
    layer, stored = samples.layer, samples.layer.weight.inputs[0]
    assert stored is not None
    before = np.asarray(constant(stored))
    problem, free_bias = _problem(samples, after), layer.bias is not None
    every = torch.arange(len(samples.read))
    learned = every[every % HELD_OUT != 0] if len(every) >= HELD_OUT else every
    judge, old = problem.part(every[::HELD_OUT]), torch.from_numpy(layer.rows(before))
    new, shift = learn(problem.part(learned), step.steps, seed, free_bias)
    with torch.no_grad():
        errors = torch.stack([judge.error(old), judge.error(new, shift)])
        better = errors[1] < errors[0]
        new = torch.where(better[..., None], new, old)
        shift = torch.where(better[:, None], shift / problem.unit, 0.0)
    replace_constant(stored, layer.shaped(new.numpy()).astype(before.dtype))
    if layer.bias is not None:
        shift_bias(layer.bias, shift.numpy().reshape(-1))
    left = float(errors.min(dim=0).values.sum() / errors[0].sum().clamp_min(1e-30))
    changed = float((new != old).float().mean())
    data = {"op": layer.node.op_type, "error_left": round(left, 4), "changed": round(changed, 4)}
    why = f"rounding learned, {float(better.float().mean()):.0%} of the channels better"
    return StepRecord(step.name, str(layer.node.name), "changed", why, data)


def _problem(samples: LayerSamples, after: Function | PerChannel | None) -> Problem:
    """The layer's numbers as tensors. A layer that answers in a head's integers is judged in those."""
    layer, (groups, outer) = samples.layer, samples.wanted.shape[1:]
    assert layer.found is not None
    in_integers = layer.found.head is not None
    f = _identity if after is None or in_integers else _torched(_shaped(after, groups, outer))
    bias = (
        np.zeros(1, np.float32)
        if layer.bias is None
        else np.asarray(constant(layer.bias.inputs[0]), np.float32)
    )
    unit, bias = (
        np.broadcast_to(a, groups * outer).reshape(groups, 1, outer).copy() for a in (layer.unit, bias)
    )
    wanted = torch.from_numpy(samples.wanted.transpose(1, 0, 2) * unit + bias * unit)
    steps = layer.rows(layer.found.unrounded)
    below, above = (torch.from_numpy(side.astype(np.float32)) for side in layer.grid.around(steps))
    return Problem(
        torch.from_numpy(steps),
        torch.from_numpy(samples.read.transpose(1, 0, 2).astype(np.float32) - layer.zero),
        f(wanted),
        torch.from_numpy(unit),
        torch.from_numpy(bias * unit),
        f,
        below,
        above,
    )


def _identity(x: Tensor) -> Tensor:
    return x


def _shaped(after: Function | PerChannel, groups: int, outer: int) -> Function:
    """The function of an answer (G, n, O), whose channels stand apart."""
    if not isinstance(after, PerChannel):
        return after
    factors = np.broadcast_to(after.factors, groups * outer).reshape(groups, 1, outer)
    return lambda x: after.function(x, factors)


def _torched(function: Function) -> Torched:
    """A function of numpy arrays with a gradient, which is a central difference."""

    def call(x: Tensor) -> Tensor:
        made: Tensor = _Numeric.apply(x, function)  # type: ignore[no-untyped-call]
        return made

    return call


class _Numeric(torch.autograd.Function):
    STEP = 1e-3

    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Function) -> Tensor:
        ctx.save_for_backward(x)
        ctx.function = function
        return torch.from_numpy(function(x.detach().numpy()))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        up, down = (ctx.function((x + d).numpy()) for d in (_Numeric.STEP, -_Numeric.STEP))
        return grads[0] * torch.from_numpy((up - down) / (2 * _Numeric.STEP)), None
