"""How far a pupil is from its teacher, in parts that each begin at 1.

The teacher's confidence at a position weighs everything there: one image holds thousands of positions without
an object and a few dozen with one. A head's confidence is m = max over its score channels of sigmoid(t); that
of a position is c = prod m over the heads of one resolution: a class score beside an objectness says nothing
where there is no object. o = prod m over the other heads, 1 where there are none.

    scores    sum (o + f) KL(sigmoid(t) || sigmoid(s)) / sum c      a certain "no" weighs nothing by itself
    boxes     sum_p (c + f) sum_c ((s - t) / std_c)^2 / sum_p (c + f)     whatever else the heads answer
    rows      KL(softmax(t) || softmax(s))                     heads without positions: classifiers
    features  mean ((s - t) / std)^2                           inner tensors

Source: Hinton et al. 2015, arXiv 1503.02531, eq. 1 at temperature 1 (rows, scores); Chen et al. 2017,
"Learning efficient object detection models with knowledge distillation", section 3.3 (features).
Differs from the source: no labels; the teacher's confidence stands where ground truth tells objects from
background; each part is divided by its value before training, so that no weights have to be chosen.

Shapes: N images, C channels, P positions (all axes of space together).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from paredown.compress.finetune.watch import Watch
from paredown.graph.executor import Executor
from paredown.graph.torch_ops import F, Tensor, torch

RARE = 0.1  # a channel whose mean sigmoid is below this tells something rare: a score, not a coordinate
BACKGROUND = 0.01  # f, the weight of a position of no confidence at all
PARTS = {"scores": 1.0, "boxes": 1.0, "rows": 1.0, "features": 0.5}  # features only help the others
Tensors = Mapping[str, Tensor]


@dataclass
class Objective:
    """Compares watched tensors, the pupil's under the teacher's names.

    score: head -> (C,) True for score channels. spread: head or feature -> (C,) or () standard deviation.
    """

    watch: Watch
    score: dict[str, Tensor]
    spread: dict[str, Tensor]
    start: dict[str, float] = field(default_factory=dict)  # part -> its value before training

    def parts(self, teacher: Tensors, pupil: Tensors) -> dict[str, Tensor]:
        """The error by part, not yet divided by where it started."""
        sums: dict[str, Tensor] = {}
        sure = self._confidence(teacher)
        for name in self.watch.heads:
            for part, value in self._head(name, teacher[name], pupil[name], sure).items():
                sums[part] = sums.get(part, torch.zeros((), device=value.device)) + value
        for name in self.watch.features:
            value = ((pupil[name] - teacher[name]) / self.spread[name]).square().mean()
            sums["features"] = sums.get("features", torch.zeros((), device=value.device)) + value
        return sums

    def total(self, parts: Tensors) -> Tensor:
        """One number; 1 before training."""
        weights = {name: PARTS[name] for name in parts}
        scaled = [
            parts[name] * (weight / max(self.start.get(name, 1.0), 1e-12)) for name, weight in weights.items()
        ]
        return torch.stack(scaled).sum() / sum(weights.values())

    def _head(self, name: str, t: Tensor, s: Tensor, sure: _Sure) -> dict[str, Tensor]:
        t, s = _flat(t), _flat(s)
        if t.shape[2] == 1:
            return {
                "rows": F.kl_div(F.log_softmax(s, 1), F.log_softmax(t, 1), reduction="sum", log_target=True)
                / len(t)
            }
        found, score = {}, self.score[name]
        c = sure.together(t.shape[2])
        if score.any():
            kl = _bernoulli(t[:, score], s[:, score]).sum(1)  # (N, P)
            others = sure.others(name, t.shape[2])
            found["scores"] = (kl * (others + BACKGROUND)).sum() / c.sum().clamp(min=1.0)
        if not score.all():
            error = ((s - t)[:, ~score] / self.spread[name][~score, None]).square().mean(1)  # (N, P)
            found["boxes"] = (error * (c + BACKGROUND)).sum() / (c + BACKGROUND).sum()
        return found

    def _confidence(self, teacher: Tensors) -> _Sure:
        found: dict[int, dict[str, Tensor]] = {}
        one: dict[int, Tensor] = {}
        for name in self.watch.heads:
            t = _flat(teacher[name])
            of_size = found.setdefault(t.shape[2], {})
            one[t.shape[2]] = torch.ones_like(t[:, 0])
            if self.score[name].any():
                of_size[name] = torch.sigmoid(t[:, self.score[name]]).amax(1)
        return _Sure(found, one)


@dataclass(frozen=True)
class _Sure:
    """P -> head -> (N, P): how sure the score heads are; the heads of one resolution share positions."""

    heads: Mapping[int, Mapping[str, Tensor]]
    one: Mapping[int, Tensor]

    def together(self, positions: int) -> Tensor:
        """c; 0 where no head of that resolution scores, so that all positions weigh alike."""
        found = self.heads[positions]
        return self.others("", positions) if found else torch.zeros_like(self.one[positions])

    def others(self, head: str, positions: int) -> Tensor:
        """o, for one head."""
        made = self.one[positions]
        for name, m in self.heads[positions].items():
            made = made if name == head else made * m
        return made


def make_objective(teacher: Executor, watch: Watch, images: Sequence[Tensor]) -> Objective:
    """The objective for a teacher, its statistics taken on some images, (1, ...) each."""
    sigmoid: dict[str, list[Tensor]] = {name: [] for name in watch.heads}
    square: dict[str, list[Tensor]] = {name: [] for name in (*watch.heads, *watch.features)}
    feed = teacher.model.inputs[0].name
    with torch.no_grad():
        for image in images:
            made = teacher.run({feed: image})
            for name in square:
                square[name].append(_spread(made[name], name in watch.heads))
            for name in watch.heads:
                sigmoid[name].append(torch.sigmoid(_flat(made[name])).mean((0, 2)))
    reached = _reached(teacher, watch, images[0])
    rare = {name: torch.stack(values).mean(0) < RARE for name, values in sigmoid.items()}
    spread = {name: torch.stack(v).mean(0).clamp(min=1e-6) for name, v in square.items()}
    return Objective(watch, {name: rare[name] & reached[name] for name in watch.heads}, spread)


def _reached(teacher: Executor, watch: Watch, image: Tensor) -> dict[str, Tensor]:
    """Head -> (C,) True where the channel goes, unchanged, into a sigmoid or class softmax.

    Gradients trace it: a value that is only moved has the gradient 1. All are True where none goes there.
    """
    made = teacher.run({teacher.model.inputs[0].name: image})
    heads = [made[name] for name in watch.heads]
    everything = {
        n: torch.ones(_flat(h).shape[1], dtype=torch.bool, device=h.device)
        for n, h in zip(watch.heads, heads, strict=True)
    }
    if not watch.scores:
        return everything
    goal = torch.stack([made[name].sum() for name in watch.scores]).sum()
    traced = torch.autograd.grad(goal, heads, allow_unused=True)
    reached = {}
    for name, head, gradient in zip(watch.heads, heads, traced, strict=True):
        flat = _flat(torch.zeros_like(head) if gradient is None else gradient)
        reached[name] = ((flat - 1).abs() < 1e-4).float().mean((0, 2)) > 0.5
    return reached if any(r.any() for r in reached.values()) else everything


def _flat(x: Tensor) -> Tensor:
    """(N, C, P). Tokens (N, P, C) of a matrix product are told by their three axes."""
    if x.ndim == 2:
        return x[:, :, None]
    return x.transpose(1, 2) if x.ndim == 3 else x.flatten(2)


def _spread(x: Tensor, per_channel: bool) -> Tensor:
    flat = _flat(x)
    return flat.transpose(0, 1).flatten(1).std(1) if per_channel and flat.shape[2] > 1 else x.std()


def _bernoulli(t: Tensor, s: Tensor) -> Tensor:
    """KL(sigmoid(t) || sigmoid(s)), elementwise: sigmoid(t) (t - s) + softplus(s) - softplus(t)."""
    return torch.sigmoid(t) * (t - s) + F.softplus(s) - F.softplus(t)
