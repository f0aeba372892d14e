"""Which weights of a layer become zero: the least of all, so many of every group, or whole blocks.

Shapes: a score for every weight, (O, I, K...): output channels, input channels of one group, kernel. Every
function gives masks of the same shape, True where the weight is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

Pattern = Literal["", "nm", "block"]
Scores = NDArray[np.floating]
Mask = NDArray[np.bool_]
Name = TypeVar("Name")


def kept(score: Scores, share: float, pattern: Pattern, of: int, lanes: int) -> Mask:
    """The mask with about `share` of the weights zero, those of least score in the pattern's units."""
    if pattern == "nm":
        return in_groups(score, round(share * of), of)
    return in_blocks(score, share, lanes) if pattern == "block" else anywhere(score, share)


def anywhere(score: Scores, share: float) -> Mask:
    """Zeros wherever the score is least (Han et al. 2015, arXiv 1506.02626: one threshold for the layer)."""
    count = round(share * score.size)
    mask = np.ones(score.size, bool)
    if count:
        mask[np.argpartition(score, count - 1, axis=None)[:count]] = False
    return mask.reshape(score.shape)


def in_groups(score: Scores, zeros: int, of: int) -> Mask:
    """So many zeros in every `of` weights that follow each other along the input channels: N:M sparsity.

    Source: Mishra et al. 2021, "Accelerating Sparse Deep Neural Networks", arXiv 2104.08378, section 3 (2:4).
    """
    last = np.moveaxis(score, 1, -1)
    groups = last.reshape(-1, of)
    mask = np.ones_like(groups, bool)
    np.put_along_axis(mask, np.argsort(groups, axis=1, kind="stable")[:, :zeros], False, axis=1)
    return np.ascontiguousarray(np.moveaxis(mask.reshape(last.shape), -1, 1))


def in_blocks(score: Scores, share: float, lanes: int) -> Mask:
    """Whole blocks of `lanes` output channels at one input channel and place: what a vector register holds.

    The last block of a layer may be narrower; blocks are ranked by their mean score.
    """
    starts = np.arange(0, len(score), lanes)
    sizes = np.diff([*starts, len(score)])
    sums = np.add.reduceat(score, starts, axis=0)
    mean = sums / sizes.reshape(-1, *[1] * (score.ndim - 1))
    return np.repeat(anywhere(mean, share), sizes, axis=0)


def layer_shares(weights: Mapping[Name, Scores], share: float) -> dict[Name, float]:
    """The share of zeros for every layer, so that one threshold over all layers leaves `share` zero.

    A weight is ranked by what it adds to the squares of its layer that are not smaller than it:

        score(u) = w_u^2 / sum of w_v^2 over |w_v| >= |w_u|

    Source: Lee et al. 2021, "Layer-adaptive Sparsity for the Magnitude-based Pruning", 2010.07611, eq. 2.
    """
    scores = [_adaptive(w) for w in weights.values()]
    total = sum(s.size for s in scores)
    count = round(share * total)
    if not count:
        return dict.fromkeys(weights, 0.0)
    limit = np.partition(np.concatenate(scores), count - 1)[count - 1]
    return {name: float(np.mean(s <= limit)) for name, s in zip(weights, scores, strict=True)}


def _adaptive(w: Scores) -> Scores:
    squares = np.sort(w.reshape(-1).astype(np.float64) ** 2)
    rest: Scores = np.cumsum(squares[::-1])[::-1]
    return squares / np.maximum(rest, 1e-300)


def why_not(shape: Sequence[int], share: float, pattern: Pattern, of: int) -> str:
    """Why a layer of weights (O, I, K...) cannot take the pattern, or ""."""
    if pattern == "nm" and shape[1] % of:
        return f"its {shape[1]} input channels are no multiple of {of}"
    return ""
