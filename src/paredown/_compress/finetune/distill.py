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

from paredown._compress.finetune.settings import Distill
from paredown._compress.finetune.trainer import Training, distill, training_record
from paredown._compress.pack.cluster import UNSHARED
from paredown._compress.prune.shrink import LEFT
from paredown._compress.quantize.writing.qdq import FLOAT
from paredown._compress.recipe import Context
from paredown.graph.learnable import learnables, stored_behind, zeros_kept
from paredown.graph.walk import constant, to_ir, to_model
from paredown.graph.write_back import write_into
from paredown.measurement import StepRecord

BLENDED = 0.5  # of small images: a few hundred show more that way


def apply(step: Distill, model: ir.Model, context: Context) -> tuple[ir.Model, tuple[StepRecord, ...]]:
    """The same graph with learned weights, and a record of how near it came."""
    if FLOAT in model.meta:
        why = "the graph is quantized: its integers are learned by qat"
        return model, (StepRecord(step.name, "", "skipped", why),)
    if _same(model.graph, to_ir(context.source).graph):
        why = "nothing was lost yet: put this step behind prune"
        return model, (StepRecord(step.name, "", "skipped", why),)
    books = [node for node in model.graph if UNSHARED in node.meta]
    dense = {str(node.name): node.meta[UNSHARED] for node in books}
    learned = distill(
        to_model(model, context.source),
        context.source,
        context.lessons or context.images,
        Training(
            step.steps,
            rate=step.rate,
            minutes=step.minutes,
            seed=context.seed,
            threads=context.threads,
            blended=BLENDED,
            brief=not books,
            folder=context.folder,
        ),
        unrounded=dense,
        masks=zeros_kept(learnables(model.graph), dense),
        left=model.meta.get(LEFT, {}),
        further=context.further,
        progress=context.progress,
    )
    if learned.error >= 1:
        return model, (training_record(step, learned),)
    write_into(model.graph, learned.arrays)
    for node in books:
        indices = stored_behind(node, 1)
        if indices is not None and str(indices.name) in learned.arrays:
            node.meta[UNSHARED] = learned.arrays[str(indices.name)]
    return model, (training_record(step, learned),)


def _same(graph: ir.Graph, source: ir.Graph) -> bool:
    """True where the graph holds the numbers of its source."""
    mine, theirs = (
        {name: constant(value) for name, value in g.initializers.items()} for g in (graph, source)
    )
    return mine.keys() == theirs.keys() and all(
        a is not None and (b := theirs[name]) is not None and np.array_equal(a, b) for name, a in mine.items()
    )
