"""How far each parameter moves in a step of the optimiser.

Source: Shazeer & Stern 2018, "Adafactor", arXiv 1804.04235, section 8: relative to the parameter's own size.
Differs from the source: the size is that before training; of a weight on a grid it is a number of the grid's
steps, because what moves it less than a step has no effect; a scale moves the far end of its grid as fast.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from paredown.graph.executor import Executor
from paredown.graph.learnable import Learnable
from paredown.graph.torch_ops import Tensor
from paredown.graph.walk import constant

SMALLEST = 1e-3  # a parameter's size counts as at least this
HASTE = 6  # times the step of its grid count as the size of a weight on a grid: wide steps are far to go
TABLE = 0.3  # of a weight's step goes a value that many weights share


def groups(pupil: Executor, rate: float) -> list[dict[str, object]]:
    """Parameters with the longest step of each, as Adam takes them. rate: as a part of a number's size."""
    made: list[dict[str, object]] = []
    for name, p in pupil.parameters.items():
        item = pupil.learnables[name]
        made.append({"params": [p], "longest": rate * _size(p, item)})
    return made


def _size(p: Tensor, item: Learnable) -> float:
    """What a step of the optimiser is a part of."""
    if item.kind == "scale":  # its parameter is a logarithm: relative already
        return HASTE / item.reach
    if item.stored is not None and not item.stored.fine:
        step = float(np.mean(np.asarray(constant(item.stored.dequantize.inputs[1]))))
        return HASTE * item.stored.grid.apart * step
    if item.shared is not None:
        return _cell(np.asarray(constant(item.shared.gather.inputs[0])))
    if item.kind == "table":  # what moves all weights of a cluster at once moves less
        return TABLE * _cell(item.start)
    return max(float(p.detach().square().mean().sqrt()), SMALLEST)


def _cell(table: NDArray[np.generic]) -> float:
    """How far the values of a codebook lie apart, most of them."""
    return float(np.median(np.diff(np.sort(table.astype(np.float64))))) if table.size > 1 else SMALLEST


def cosine(done: float, warm_up: float) -> float:
    """The rate's factor: up over the warm-up, then down along a cosine to 0."""
    if done < warm_up:
        return (done + 1e-3) / (warm_up + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * min((done - warm_up) / (1 - warm_up), 1.0)))
