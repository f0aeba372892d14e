"""Network slimming without batch normalisation: every class of channels learns a gate that a penalty shrinks.

The gates g multiply the columns that read a class, W_c -> g_c W_c, and are learned with the weights:

    min  L(W, g) + lambda sum_c |g_c|

What can be spared comes to stand near zero, and the rest learns to do without it. |g| is the importance; the
gates are folded into the weights afterwards, so the graph stays as it was.

Source: Liu et al. 2017, "Learning efficient convolutional networks through network slimming", arXiv
1708.06519, eq. 1.
Differs from the source: gates of their own, shared by channels that can only go together, stand for the
scales of batch normalisation, which an exported graph no longer has; the distillation loss stands for the
task's; lambda is no setting: it rises until what stands near zero is worth the MACs asked for.

Shapes: C channels that a layer reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.finetune.augment import augment
from paredown._compress.finetune.distillation_loss import Objective, make_objective
from paredown._compress.finetune.taps import find_taps
from paredown._compress.recipe import Context
from paredown.errors import CalibrationError
from paredown.graph.executor import Executor, threads
from paredown.graph.removal import Removable
from paredown.graph.torch_ops import Tensor, torch
from paredown.graph.walk import to_model
from paredown.graph.write_back import write_into

STEPS = 400  # of the optimiser, at most
BATCH = 4
STATISTICS = 8  # images on which the objective takes its statistics
RATE = 0.01  # longest step of a gate
WEIGHT_RATE = 5e-4  # longest step of a weight, as a part of its size
SHAKE = 0.1  # the loss counts in units of what gates drawn from 1 - SHAKE .. 1 do to it
FORCE = (0.01, 100.0)  # lambda at the first and the last step, for the mean over all gates

Floats = NDArray[np.float64]
Enough = Callable[[Floats], bool]
"""enough(gates) -> whether as many stand near zero as are to go."""


def importance(model: ir.Model, found: Removable, enough: Enough, context: Context) -> Floats:
    """(classes,) the size of every class's gate; the graph's weights are those learned beside the gates."""
    taps = replace(find_taps(model.graph), features=())
    wanted = list(dict.fromkeys([*taps.heads, *taps.scores, *taps.answers]))
    before = to_model(model, context.source)
    teacher, pupil = Executor(before, wanted), Executor(before, list(taps.heads))
    with threads(context.threads):
        images = [teacher.feeds(x) for x in context.images()]
        if not images:
            raise CalibrationError("there is no image to learn from", expected="at least one, 100 are good")
        objective = make_objective(teacher, taps, images[:STATISTICS])
        slimmer = _Slimmer(teacher, pupil, objective, _Gates(found, pupil))
        slimmer.scale(images[:STATISTICS], context.seed)
        for step in context.progress(range(STEPS), "slimming", STEPS):
            slimmer.learn(images, step, context.seed)
            if step % 10 == 0 and enough(slimmer.gates.values()):
                break
    slimmer.gates.fold()
    write_into(model.graph, pupil.learned())
    return slimmer.gates.values()


@dataclass(frozen=True)
class _Columns:
    """The columns of one layer. index: the gate of each of the (C,) entries along an axis of its weight."""

    weight: str
    axis: int
    index: Tensor


class _Gates:
    """One gate for each class, in front of the weights that read it.

    Between `fold` and `unfold` the pupil's parameters are the gated weights, else the weights themselves.
    """

    def __init__(self, found: Removable, pupil: Executor) -> None:
        self.pupil, self.found = pupil, found
        frozen = found.channels.is_frozen()
        self.free = torch.tensor([c not in frozen for c in range(len(found.channels.parent))])
        self.gate = torch.nn.Parameter(torch.ones(len(found.channels.parent)))
        self.columns: dict[str, _Columns] = {}
        for operand in found.operands:
            weight = str(operand.node.inputs[1].name) if operand.reads >= 0 else ""  # type: ignore[union-attr]
            ids = operand.ids[operand.reads]
            if weight in pupil.parameters and ids is not None:
                index = torch.from_numpy(found.classes(ids))
                self.columns[weight] = _Columns(weight, operand.reads, index)
        self.raw = {name: pupil.parameters[name].detach().clone() for name in self.columns}

    def values(self) -> Floats:
        """(classes,) |g|."""
        return np.asarray(np.abs(self.gate.detach().double().numpy()), np.float64)

    def fold(self) -> None:
        """The pupil computes with gated weights."""
        with torch.no_grad():
            for name, column in self.columns.items():
                parameter = self.pupil.parameters[name]
                parameter.copy_(self.raw[name] * self._along(column, parameter))

    def unfold(self) -> None:
        """Gradients of the gated weights become those of gates and weights, which the optimiser may move."""
        total = torch.zeros_like(self.gate)
        with torch.no_grad():
            for name, column in self.columns.items():
                parameter = self.pupil.parameters[name]
                if parameter.grad is None:
                    continue
                product = parameter.grad * self.raw[name]
                total.index_add_(
                    0, column.index, product.sum([a for a in range(product.ndim) if a != column.axis])
                )
                parameter.grad.mul_(self._along(column, parameter))
                parameter.copy_(self.raw[name])
        self.gate.grad = total * self.free

    def keep(self) -> None:
        """What the optimiser made of the weights; gates stay within 0 and 1."""
        with torch.no_grad():
            self.gate.clamp_(0, 1)
            for name in self.columns:
                self.raw[name].copy_(self.pupil.parameters[name])

    def _along(self, column: _Columns, like: Tensor) -> Tensor:
        wide = [1] * like.ndim
        wide[column.axis] = -1
        return self.gate.detach()[column.index].reshape(wide)


class _Slimmer:
    def __init__(self, teacher: Executor, pupil: Executor, objective: Objective, gates: _Gates) -> None:
        self.teacher, self.pupil, self.objective, self.gates = teacher, pupil, objective, gates
        groups: list[dict[str, object]] = [{"params": [gates.gate], "lr": RATE}]
        for parameter in pupil.parameters.values():
            size = max(float(parameter.detach().square().mean().sqrt()), 1e-3)
            groups.append({"params": [parameter], "lr": WEIGHT_RATE * size})
        self.optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-12)

    def scale(self, images: Sequence[Mapping[str, Tensor]], seed: int) -> None:
        """Brings the loss into units of what a slight shake of all gates does."""
        rng = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.gates.gate.copy_(
                1 - SHAKE * torch.rand(len(self.gates.gate), generator=rng) * self.gates.free
            )
            self.gates.fold()
            sums: dict[str, float] = {}
            for x in images:
                for part, value in self._parts(x).items():
                    sums[part] = sums.get(part, 0.0) + float(value) / len(images)
            self.gates.gate.fill_(1)
        self.objective.start = sums

    def learn(self, images: Sequence[Mapping[str, Tensor]], step: int, seed: int) -> None:
        """One step of the optimiser."""
        rng = np.random.default_rng((seed, step))
        self.gates.fold()
        self.optimizer.zero_grad(set_to_none=True)
        for i in rng.choice(len(images), BATCH, replace=len(images) < BATCH):
            error = self.objective.total(self._parts(augment(images[i], rng)))
            torch.autograd.backward(error / BATCH)
        self.gates.unfold()
        low, high = FORCE
        force = low * (high / low) ** (step / STEPS) / max(int(self.gates.free.sum()), 1)
        assert self.gates.gate.grad is not None
        self.gates.gate.grad += force * self.gates.free
        self.optimizer.step()
        self.gates.keep()

    def _parts(self, x: Mapping[str, Tensor]) -> dict[str, Tensor]:
        with torch.no_grad():
            truth = self.teacher.run(x)
        return self.objective.parts(truth, self.pupil.run(x))
