"""Recovery: a float graph that was pruned learns to answer as the model it was made from.

All weights and biases are learned from images alone (trainer.py), the model in front of the recipe's first
step as the teacher. Single weights that were pruned stay zero.

Source: Hinton et al. 2015, arXiv 1503.02531; Li et al. 2017, arXiv 1608.08710, section 3.4 (retraining all
layers after pruning); Han et al. 2016, arXiv 1510.00149, section 3.3 (codebooks).
Differs from the source: no labels; a weight may change the value of the codebook that it takes.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from paredown._compress.draft import Draft
from paredown._compress.finetune.settings import Distill
from paredown._compress.finetune.trainer import distill
from paredown._compress.finetune.training import training_of, training_record
from paredown._compress.recipe import Context
from paredown.graph.learnable import learnables, stored_behind, zeros_kept
from paredown.graph.walk import constant, to_ir, to_model
from paredown.graph.write_back import write_into
from paredown.measurement import StepRecord

BLENDED = 0.5  # of small images: a few hundred show more that way


def apply(step: Distill, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Puts learned weights into the graph; a record of how near it came."""
    model = draft.model
    if draft.float_model is not None:
        why = "the graph is quantized: its integers are learned by qat"
        return (StepRecord(step.name, "", "skipped", why),)
    if _same(model.graph, to_ir(context.source).graph):
        why = "nothing was lost yet: put this step behind prune"
        return (StepRecord(step.name, "", "skipped", why),)
    learned = distill(
        to_model(model, context.source),
        context.source,
        context.unlabelled or context.images,
        training_of(step, context, blended=BLENDED, brief=not draft.codebooks),
        unrounded=draft.codebooks,
        masks=zeros_kept(learnables(model.graph), draft.codebooks),
        left=draft.kept_channels,
        learn_from=context.learn_from,
        progress=context.progress,
    )
    if learned.error >= 1:
        return (training_record(step, learned),)
    write_into(model.graph, learned.arrays)
    for node in [n for n in model.graph if str(n.name) in draft.codebooks]:
        indices = stored_behind(node, 1)
        if indices is not None and str(indices.name) in learned.arrays:
            draft.codebooks[str(node.name)] = learned.arrays[str(indices.name)]
    return (training_record(step, learned),)


def _same(graph: ir.Graph, source: ir.Graph) -> bool:
    """True where the graph holds the numbers of its source."""
    mine, theirs = (
        {name: constant(value) for name, value in g.initializers.items()} for g in (graph, source)
    )
    return mine.keys() == theirs.keys() and all(
        a is not None and (b := theirs[name]) is not None and np.array_equal(a, b) for name, a in mine.items()
    )
