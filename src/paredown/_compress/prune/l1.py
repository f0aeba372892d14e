"""What a class of channels is worth, read off the weights.

    L1_c = mean over the weight axes that count c of  ( sum |W[c]| / mean over the axis of sum |W[.]| )

so that 1 is an ordinary channel in every layer.

Source: Li et al. 2017, "Pruning filters for efficient ConvNets", arXiv 1608.08710, section 3.1.
Differs from the source: columns count beside rows, and sums are relative to their layer, so that channels of
different layers compare and a class that lives in several layers has one figure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paredown.graph.removal import Removable
from paredown.graph.walk import WEIGHTED, constant

Floats = NDArray[np.float64]


def by_weights(found: Removable) -> Floats:
    """(classes,) the L1 importance of every class; 0 for one that no weight counts."""
    total, times = np.zeros(len(found.channels.parent)), np.zeros(len(found.channels.parent))
    for operand in found.operands:
        array = constant(operand.node.inputs[operand.index])
        if operand.node.op_type not in WEIGHTED or operand.index != 1 or array is None:
            continue
        size = np.abs(array.astype(np.float64))
        for axis, ids in enumerate(operand.ids):
            if ids is not None:
                sums = size.sum(axis=tuple(a for a in range(size.ndim) if a != axis))
                classes = found.classes(ids)
                np.add.at(total, classes, sums / max(float(sums.mean()), 1e-12))
                np.add.at(times, classes, 1)
    return np.asarray(total / np.maximum(times, 1))
