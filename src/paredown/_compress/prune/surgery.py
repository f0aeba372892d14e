"""Weights pruned while the network learns: on a gradual schedule, and spliced back where that was wrong.

The share of zeros rises to its end (Zhu & Gupta, eq. 1, with s_i = 0 and t_0 = 0), d the part of the rise
that is over:

    s(d) = s_f - s_f (1 - d)^3

`gradual`: what is zero stays zero. `surgery`: the weight behind a zero goes on learning (graph/executor.py,
`masked`) and comes back once it is large. With thresholds a < b (Guo et al., eq. 4):

    T <- 0 where |W| < a;  as it was where a <= |W| < b;  1 where |W| >= b

Here b = (1 + MARGIN) a, and a is what leaves the share s(d) at zero: a weight that is kept counts
(1 + MARGIN) times, then the least go.

Source: Zhu & Gupta 2017, "To prune, or not to prune", arXiv 1710.01878, section 3; Guo et al. 2016, "Dynamic
Network Surgery for Efficient DNNs", arXiv 1608.04493, eq. 3 and 4, algorithm 1.
Differs from the source: no labels (finetune/trainer.py); thresholds follow from the share of zeros, not from
mean and deviation; masks are left alone in the last part of the training instead of moving ever more rarely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from paredown._compress.finetune.trainer import distill
from paredown._compress.finetune.training import Learned, training_of
from paredown._compress.prune.masks import SparseLayer, masks_at_once
from paredown._compress.prune.settings import Sparse
from paredown._compress.recipe import Context
from paredown.graph.executor import Executor
from paredown.graph.torch_ops import torch
from paredown.graph.walk import to_model
from paredown.graph.write_back import write_into
from paredown.measurement import StepRecord

RISE = 0.5  # of the training: the share of zeros is at its end
SETTLED = 0.75  # of the training: masks stay as they are
UPDATES = 100  # of the masks over the whole training
MARGIN = 0.2  # b over a, less 1


def learn(
    step: Sparse, model: ir.Model, layers: Sequence[SparseLayer], context: Context
) -> tuple[StepRecord, ...]:
    """Gives the graph what was learned, zeros included, and says what came of it."""
    sculptor = Sculptor(step, tuple(layers))
    learned = distill(
        to_model(model, context.source),
        context.source,
        context.unlabelled or context.images,
        training_of(step, context),
        masks=masks_at_once(step, layers),
        sculpt=sculptor,
        learn_from=context.learn_from,
        progress=context.progress,
    )
    write_into(model.graph, learned.arrays)
    return (_record(step, learned, sculptor),)


@dataclass
class Sculptor:
    """Moves the masks of a pupil as its training goes on. spliced: zeros that became weights again."""

    step: Sparse
    layers: tuple[SparseLayer, ...]
    spliced: int = 0
    _last: int = -1

    def __call__(self, pupil: Executor, done: float) -> bool:
        """True where masks have changed."""
        update = int(done * UPDATES)
        if update == self._last or done > SETTLED:
            return False
        if update == 0:  # the pupil comes with the masks of its end
            pupil.masks = {name: torch.ones_like(mask) for name, mask in pupil.masks.items()}
        self._last = update
        moved = [self._move(pupil, layer, layer.share * rise(done / RISE)) for layer in self.layers]
        return update == 0 or any(moved)

    def _move(self, pupil: Executor, layer: SparseLayer, share: float) -> bool:
        name = str(layer.weight.name)
        before = pupil.masks[name].cpu().numpy() > 0
        size = np.abs(pupil.parameters[name].detach().cpu().numpy())
        favoured = size * (1 + MARGIN * before) if self.step.learning == "surgery" else size * before
        mask = layer.mask(favoured, self.step, share)
        self.spliced += int(np.sum(mask & ~before))
        pupil.masks[name] = torch.from_numpy(mask.astype(np.float32)).to(pupil.device)
        return bool(np.any(mask != before))


def rise(done: float) -> float:
    """s(d) / s_f, 1 from d = 1 on."""
    return 1 - (1 - min(done, 1.0)) ** 3


def _record(step: Sparse, learned: Learned, sculptor: Sculptor) -> StepRecord:
    why = (
        f"error at the heads and inside brought to {learned.error:.0%} of what as many zeros cost at once, "
        f"{learned.steps} steps, stopped by {learned.stopped}"
    )
    data = {
        "parts": dict(learned.parts),
        "minutes": round(learned.seconds / 60, 2),
        "device": learned.device,
        "spliced": sculptor.spliced,
    }
    return StepRecord(step.name, "", "note" if learned.error < 1 else "skipped", why, data)
