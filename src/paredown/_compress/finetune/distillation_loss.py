"""How far a pupil is from its teacher, in parts that each begin at 1.

The teacher's confidence in a candidate weighs everything that belongs to it: one image holds thousands of
candidates without an object and a few dozen with one. c is the confidence of a number's candidate, o the
objectness that a class score goes by, 1 where there is none (candidates.py). Where a model's answer does not
tell its rows, a position of the head stands for the candidate: m = max over a head's score channels of
sigmoid(t), c = prod m over the heads of one resolution, o = prod m over the other heads.

    scores    sum (o + f) KL(sigmoid(t) || sigmoid(s)) / sum max c   a certain "no" weighs nothing by itself
    boxes     sum (c + f) ((s - t) / std)^2 / sum (c + f)            whatever else the heads answer
    rows      KL(softmax(t) || softmax(s))                           heads without positions: classifiers
    logits    mean ((s - t - mean (s - t)) / std)^2                  the same: tells much where t is certain
    places    sum c (1 - IoU(t, s)) / sum c                          boxes behind the tail (box_iou.py)
    features  mean ((s - t) / std)^2                                 inner tensors

Source: Hinton et al. 2015, arXiv 1503.02531, eq. 1 at temperature 1 (rows, scores); Kim et al. 2021,
arXiv 2105.08919, eq. 4 (logits, here without what all of them share, which softmax does not see); Chen
et al. 2017, "Learning efficient object detection models with knowledge distillation", section 3.3
(features).
Differs from the source: no labels; the teacher's confidence stands where ground truth tells objects from
background; each part is divided by its value before training, so that no weights have to be chosen.

Shapes: N images, C channels, P positions (all axes of space together).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from paredown._compress.finetune.box_iou import BoxIou, find_box_iou
from paredown._compress.finetune.candidates import RARE, CandidateRows, find_candidates, flat
from paredown._compress.finetune.taps import Taps
from paredown.graph.executor import Executor
from paredown.graph.torch_ops import F, Tensor, torch

BACKGROUND = 0.001  # f, the weight of what has no confidence at all
PARTS = {  # weights: features only help the others
    "scores": 1.0,
    "boxes": 1.0,
    "places": 1.0,
    "rows": 1.0,
    "logits": 1.0,
    "features": 0.5,
}
Tensors = Mapping[str, Tensor]


@dataclass
class Objective:
    """Compares tapped tensors, the pupil's under the teacher's names.

    score: head -> (C,) True for score channels. spread: head or feature -> (C,) or () standard deviation.
    """

    taps: Taps
    score: dict[str, Tensor]
    spread: dict[str, Tensor]
    rows: Sequence[CandidateRows] = ()
    places: Sequence[BoxIou] = ()
    start: dict[str, float] = field(default_factory=dict)  # part -> its value before training

    def parts(self, teacher: Tensors, pupil: Tensors) -> dict[str, Tensor]:
        """The error by part, not yet divided by where it started."""
        found: dict[str, list[tuple[Tensor, Tensor]]] = {}
        sure, there = self._confidence(teacher)
        for name in self.taps.heads:
            for part, pair in self._head(name, teacher[name], pupil[name], sure[name], there[name]).items():
                found.setdefault(part, []).append(pair)
        for places in self.places:
            found.setdefault("places", []).append(places.error(teacher, pupil))
        made = {
            part: sum_of(e for e, _ in pairs) / sum_of(w for _, w in pairs) for part, pairs in found.items()
        }
        if self.taps.features:
            made["features"] = sum_of(
                F.mse_loss(pupil[name], teacher[name]) / self.spread[name].square()
                for name in self.taps.features
            )
        return made

    def total(self, parts: Tensors) -> Tensor:
        """One number; 1 before training."""
        weights = {name: PARTS[name] for name in parts}
        scaled = [
            parts[name] * (weight / max(self.start.get(name, 1.0), 1e-12)) for name, weight in weights.items()
        ]
        return torch.stack(scaled).sum() / sum(weights.values())

    def _head(
        self, name: str, t: Tensor, s: Tensor, c: Tensor, o: Tensor
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Part -> weighted error and weight."""
        t, s = flat(t), flat(s)
        if t.shape[2] == 1:
            kl = F.kl_div(F.log_softmax(s, 1), F.log_softmax(t, 1), reduction="sum", log_target=True)
            of = torch.full((), float(len(t)), device=kl.device)
            apart = (s - t) - (s - t).mean(1, keepdim=True)  # softmax does not see what all scores share
            return {"rows": (kl, of), "logits": ((apart / self.spread[name]).square().mean(1).sum(), of)}
        found, score = {}, self.score[name]
        if score.any():
            kl = _bernoulli(t[:, score], s[:, score])
            found["scores"] = (kl * (_of(o, score) + BACKGROUND)).sum(), c.amax(1).sum() + BACKGROUND
        if not score.all():
            error = ((s - t)[:, ~score] / self.spread[name][~score, None]).square()
            weight = (_of(c, ~score) + BACKGROUND).expand_as(error)
            found["boxes"] = (error * weight).sum(), weight.sum()
        return found

    def _confidence(self, teacher: Tensors) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """c and o by head, (N, C or 1, P)."""
        tensors = {name: flat(teacher[name]) for name in self.taps.heads}
        sure, there = _by_position(tensors, self.score)
        for rows in self.rows:
            by_row = rows.sure(teacher)
            sure, there = sure | by_row[0], there | by_row[1]
        return sure, there


def _by_position(
    heads: Mapping[str, Tensor], score: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """c and o where positions stand for candidates, (N, 1, P); the heads of one resolution share positions.

    c is 0 where no head of a resolution scores, so that all positions weigh alike.
    """
    sure, there = {}, {}
    for _, group in groupby(sorted(heads, key=lambda n: heads[n].shape[2]), lambda n: heads[n].shape[2]):
        names = list(group)
        best = {n: torch.sigmoid(heads[n][:, score[n]]).amax(1, True) for n in names if score[n].any()}
        one = torch.ones_like(heads[names[0]][:, :1])
        together = torch.stack(list(best.values())).prod(0) if best else torch.zeros_like(one)
        for name in names:
            others = [m for n, m in best.items() if n != name]
            sure[name] = together
            there[name] = torch.stack(others).prod(0) if others else one
    return sure, there


def sum_of(tensors: Iterable[Tensor]) -> Tensor:
    """The sum of scalars."""
    return torch.stack(list(tensors)).sum()


def make_objective(teacher: Executor, taps: Taps, images: Sequence[Tensors]) -> Objective:
    """The objective for a teacher, its statistics taken on some images: feeds by name, (1, ...) each."""
    sigmoid: dict[str, list[Tensor]] = {name: [] for name in taps.heads}
    square: dict[str, list[Tensor]] = {name: [] for name in (*taps.heads, *taps.features)}
    answers = []
    with torch.no_grad():
        for image in images:
            made = teacher.run(image)
            answers.append({name: made[name] for name in taps.answers})
            for name in square:
                square[name].append(_spread(made[name], name in taps.heads))
            for name in taps.heads:
                sigmoid[name].append(torch.sigmoid(flat(made[name])).mean((0, 2)))
    heads = {name: made[name] for name in taps.heads}
    reached = _reached(teacher, taps, heads)
    rare = {name: torch.stack(values).mean(0) < RARE for name, values in sigmoid.items()}
    spread = {name: torch.stack(v).mean(0).clamp(min=1e-6) for name, v in square.items()}
    score = {name: rare[name] & reached[name] for name in taps.heads}
    rows = find_candidates(teacher.model, heads, taps.answers, answers)
    for found in rows:
        score |= {name: found.tells(name) | score[name] for name in found.row}
    places = [p for r in rows if (p := find_box_iou(teacher, taps.heads, r, answers)) is not None]
    return Objective(taps, score, spread, rows, places)


def _reached(teacher: Executor, taps: Taps, heads: Tensors) -> dict[str, Tensor]:
    """Head -> (C,) True where the channel goes, unchanged, into a sigmoid or class softmax.

    Gradients trace it: a value that is only moved has the gradient 1. All are True where none goes there.
    """
    everything = {
        n: torch.ones(flat(h).shape[1], dtype=torch.bool, device=h.device) for n, h in heads.items()
    }
    if not taps.scores:
        return everything
    tail = Executor(teacher.model, taps.scores, given=heads, device=str(teacher.device))
    leaves = {name: x.clone().requires_grad_() for name, x in heads.items()}
    goal = sum_of(x.sum() for x in tail.run(leaves).values())
    traced = torch.autograd.grad(goal, list(leaves.values()), allow_unused=True)
    reached = {}
    for (name, head), gradient in zip(heads.items(), traced, strict=True):
        through = flat(torch.zeros_like(head) if gradient is None else gradient)
        reached[name] = ((through - 1).abs() < 1e-4).float().mean((0, 2)) > 0.5
    return reached if any(r.any() for r in reached.values()) else everything


def _of(weight: Tensor, channels: Tensor) -> Tensor:
    """The weight's channels; one channel stands for all."""
    return weight if weight.shape[1] == 1 else weight[:, channels]


def _spread(x: Tensor, per_channel: bool) -> Tensor:
    values = flat(x)
    return values.transpose(0, 1).flatten(1).std(1) if per_channel and values.shape[2] > 1 else x.std()


def _bernoulli(t: Tensor, s: Tensor) -> Tensor:
    """KL(sigmoid(t) || sigmoid(s)), elementwise: sigmoid(t) (t - s) + softplus(s) - softplus(t)."""
    return torch.sigmoid(t) * (t - s) + F.softplus(s) - F.softplus(t)
