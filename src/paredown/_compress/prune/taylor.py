"""What a class of channels is worth by the second-order term of a Taylor series, from images alone.

A model that is its own teacher sits at the minimum of the distillation loss L: gradients are zero and the
first term that tells anything is the second. With the gate g_c on everything that reads channel c (1 as it
is, 0 once it is removed), heads y and L's Hessian H at the heads, the Gauss-Newton form of it is

    L(g_c = 0) - L = 1/2 J_c^T H J_c,    J_c = dy / dg_c

and J_c^T H J_c = E[(r^T J_c)^2] for any random r with E[r r^T] = H: one backward pass of r^T y gives r^T J_c
of every class at once, as the sum of weight times gradient over the columns that read it. H is taken to be
diagonal, its diagonal found by one product with random signs v, (H v) v.

A removed channel leaves its mean behind in the biases (shrink.py), so what is gated is x_c - E[x_c]: the
mean's part, E[x_c] sum W_c dL/db, is subtracted.

Source: Molchanov et al. 2019, arXiv 1906.10771, eq. 8 and section 3.1 (gates, gradients squared image by
image); Theis et al. 2018, arXiv 1801.05787 (the second order by squared gradients); LeCun et al. 1990 (OBD).
Differs from the source: no labels; the distillation loss stands for the task's, whose own gradient vanishes;
channels that can only go together share a gate.

Shapes: C channels that a layer reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.finetune.distillation_loss import Objective, make_objective
from paredown._compress.finetune.taps import find_taps
from paredown._compress.prune.moments import Moments
from paredown._compress.recipe import Context
from paredown.graph.executor import Executor, threads
from paredown.graph.removal import Operand, Removable
from paredown.graph.torch_ops import Tensor, torch
from paredown.graph.walk import attribute, data_inputs, to_model

IMAGES = 64  # of the calibration images: squared gradients settle early
STATISTICS = 8  # images on which the objective takes its statistics

Floats = NDArray[np.float64]


def importance(model: ir.Model, found: Removable, known: Mapping[str, Moments], context: Context) -> Floats:
    """(classes,) what the distillation loss would gain without each class, in shares of all gains."""
    taps = replace(find_taps(model.graph), features=())
    wanted = dict.fromkeys([*taps.heads, *taps.scores, *taps.answers])
    runner = Executor(to_model(model, context.source), list(wanted))
    columns = [c for o in found.operands if (c := _columns(o, found, known)) is not None]
    rng = torch.Generator().manual_seed(context.seed)
    size = len(found.channels.parent)
    sums: dict[str, Floats] = {}
    with threads(context.threads):
        images = [runner.feeds(x) for x in islice(context.images(), IMAGES)]
        objective = replace(make_objective(runner, taps, images[:STATISTICS]), places=())  # no curvature
        for image in context.progress(images, "weighing channels", len(images)):
            made = runner.run(image)
            heads = {name: made[name] for name in taps.heads}
            for part, r in _directions(objective, made, taps.heads, rng).items():
                goal = torch.stack([(r[name] * heads[name]).sum() for name in r]).sum()
                found_now = _gate_gradients(runner, goal, columns, size)
                sums[part] = sums.get(part, np.zeros(size)) + np.square(found_now)
    return np.asarray(sum(s / max(float(s.sum()), 1e-30) for s in sums.values()) / max(len(sums), 1))


@dataclass(frozen=True)
class _Columns:
    """A layer's columns. classes: (C,). mean: (O, C) what the bias gets of a channel's mean, or None."""

    weight: str
    bias: str
    axis: int
    classes: NDArray[np.int64]
    mean: Tensor | None


def _columns(operand: Operand, found: Removable, known: Mapping[str, Moments]) -> _Columns | None:
    read = operand.ids[operand.reads] if operand.reads >= 0 else None
    node, weight = operand.node, operand.node.inputs[1]
    if read is None or weight is None or weight.const_value is None:
        return None
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    seen = known.get(str(data_inputs(node)[0].name))
    plain = node.op_type == "Conv" and attribute(node, "group", 1) == 1
    folded = None
    if seen is not None and bias is not None and plain:
        kernel = weight.const_value.numpy()
        lasting = kernel.reshape(*kernel.shape[:2], -1).sum(axis=2) * seen.mean
        folded = torch.from_numpy(lasting.astype(np.float32))
    name = "" if bias is None else str(bias.name)
    return _Columns(str(weight.name), name, operand.reads, found.classes(read), folded)


def _directions(
    objective: Objective, made: Mapping[str, Tensor], heads: tuple[str, ...], rng: torch.Generator
) -> dict[str, dict[str, Tensor]]:
    """Part of the objective -> head -> r, with E[r r^T] the diagonal of the part's Hessian at the heads."""
    truth = {name: x.detach() for name, x in made.items()}
    leaves = {name: truth[name].clone().requires_grad_() for name in heads}
    signs = [_signs(x, rng) for x in leaves.values()]
    found: dict[str, dict[str, Tensor]] = {}
    for part, value in objective.parts(truth, truth | leaves).items():
        slopes = torch.autograd.grad(value, list(leaves.values()), create_graph=True, allow_unused=True)
        pairs = [
            (s * v).sum() for s, v in zip(slopes, signs, strict=True) if s is not None and s.requires_grad
        ]
        if not pairs:
            continue
        bent = torch.autograd.grad(torch.stack(pairs).sum(), list(leaves.values()), allow_unused=True)
        found[part] = {
            name: (h * v).clamp(min=0).sqrt() * _signs(v, rng)
            for name, h, v in zip(leaves, bent, signs, strict=True)
            if h is not None
        }
    return found


def _signs(like: Tensor, rng: torch.Generator) -> Tensor:
    return torch.randint(0, 2, like.shape, generator=rng).to(like.dtype) * 2 - 1


def _gate_gradients(runner: Executor, goal: Tensor, columns: list[_Columns], size: int) -> Floats:
    """(classes,) the derivative of the goal by the gate of every class."""
    names = dict.fromkeys(n for c in columns for n in (c.weight, c.bias) if n in runner.parameters)
    slopes = torch.autograd.grad(
        goal, [runner.parameters[n] for n in names], retain_graph=True, allow_unused=True
    )
    slope = {name: s for name, s in zip(names, slopes, strict=True) if s is not None}
    total = np.zeros(size)
    for c in columns:
        if c.weight not in slope:
            continue
        product = runner.parameters[c.weight].detach() * slope[c.weight]
        gates = product.sum([a for a in range(product.ndim) if a != c.axis])
        if c.mean is not None and c.bias in slope:
            gates = gates - slope[c.bias] @ c.mean
        np.add.at(total, c.classes, gates.double().numpy())
    return total
