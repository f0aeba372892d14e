"""The values of codebooks, learned: what the weights of a cluster share moves where the network wants it.

The gradient of a value is the sum over the weights that share it, I the index of weight ij:

    dL/dC_k = sum_ij dL/dW_ij 1(I_ij = k)

which is what the gradient of Gather is; biases learn along. Zero stays zero.

Source: Han et al. 2016, "Deep Compression", arXiv 1510.00149, section 3.3, eq. 3.
Differs from the source: no labels (finetune/distill.py).
"""

from __future__ import annotations

import onnx_ir as ir

from paredown.compress.finetune.distill import Training, distill
from paredown.compress.pack.cluster import Cluster
from paredown.compress.recipe import Context
from paredown.graph.learnable import learnables, zeros_kept
from paredown.graph.walk import to_model
from paredown.graph.write_back import write_into
from paredown.measurement import StepRecord


def learn(step: Cluster, model: ir.Model, context: Context) -> StepRecord:
    """Gives the graph its learned tables and biases, and says what came of it."""
    learned = distill(
        to_model(model, context.source),
        context.source,
        context.images,
        Training(
            step.steps, rate=step.rate, minutes=step.minutes, seed=context.seed, threads=context.threads
        ),
        masks=zeros_kept(learnables(model.graph)),
        progress=context.progress,
    )
    write_into(model.graph, learned.arrays)
    why = (
        f"error at the heads and inside brought to {learned.error:.0%} of what it was, "
        f"{learned.steps} steps, stopped by {learned.stopped}"
    )
    data = {"parts": dict(learned.parts), "minutes": round(learned.seconds / 60, 2), "device": learned.device}
    return StepRecord(step.name, "", "note" if learned.error < 1 else "skipped", why, data)
