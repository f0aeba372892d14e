"""How far a quantized answer is from the float one at the heads, position by position.

    damage = sum_p w_p sum_c a_c ((q_cp - t_cp) / std_c)^2 / sum_p w_p,      w_p = m_p + BACKGROUND

t is the float answer, q the other; m_p, how sure the float model is of an object at position p, is the
product over the heads of that resolution of max_c sigmoid(t_cp) over their score channels. An image has
thousands of positions and objects at a few dozen: what happens elsewhere costs no box its place. A channel
is a score where its mean sigmoid is small, because most positions hold nothing. Scores share one std, and
what lies below UNHEARD (ranges/post_activation.py) counts as that, in q and in t. The shares a_c give scores
and boxes the same weight, however many classes there are.

Shapes: C channels, P positions (all axes of space together; of a larger head, MOST drawn by a fixed seed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from paredown._compress.quantize.ranges.post_activation import UNHEARD

Floats = NDArray[np.float32]

RARE = 0.1  # a channel of smaller mean sigmoid tells something rare: a score, not a coordinate
BACKGROUND = 0.01  # weight of a position of no confidence at all
MOST = 1 << 14  # positions of a head that are looked at: a map of classes has one for every pixel


@dataclass(frozen=True)
class Answer:
    """One head's float answer to one image.

    values: (C, P), none below `least`, (C, 1). weight: (P,), sums to 1. inverse: (C, 1), 1 / std. share:
    (C,), a_c, sums to 1. found: sum_p m_p, about the number of positions that tell of an object.
    """

    values: Floats
    least: Floats
    weight: Floats
    inverse: Floats
    share: Floats
    found: float

    def damage(self, other: Floats) -> float:
        """Of another answer of the same head, in its own shape."""
        error = np.maximum(_drawn(other), self.least)
        error -= self.values
        error *= self.inverse
        error *= error
        error *= self.weight
        # no matrix product: BLAS's threads go on spinning, and the runtime's wait for them
        return float((error.sum(axis=1) * self.share).sum())


def answers(heads: Sequence[Floats]) -> list[Answer]:
    """The float answers of all heads to one image, made ready to be compared with."""
    flat = [_drawn(h) for h in heads]
    sure = _confidence(flat)
    classifies = all(values.shape[1] == 1 for values in flat)
    return [_answer(values, sure.get(values.shape[1]), classifies) for values in flat]


def _answer(values: Floats, sure: Floats | None, classifies: bool) -> Answer:
    if classifies:  # channels tell each other's scale
        inverse = np.full((len(values), 1), 1 / max(float(values.std()), 1e-6), np.float32)
        shares, least = _shares(np.zeros(len(values), bool)), np.full((len(values), 1), -np.inf, np.float32)
        return Answer(values, least, np.ones(1, np.float32), inverse, shares, 0.0)
    variance, score = values.var(axis=1), scores(values)
    if values.shape[1] == 1:  # the last of a pyramid of heads has one position: its channels tell the scale
        variance = np.full(len(values), values[~score].var() if (~score).any() else 0.0, np.float32)
        variance[score] = np.maximum(values[score], UNHEARD).var() if score.any() else 0.0
    variance[score] = variance[score].mean() if score.any() else 0.0
    found = np.zeros(values.shape[1], np.float32) if sure is None else sure
    weight = found + BACKGROUND
    inverse = (1 / np.sqrt(np.maximum(variance, 1e-12)))[:, None].astype(np.float32)
    least = np.where(score, np.float32(UNHEARD), np.float32(-np.inf))[:, None]
    heard = np.maximum(values, least)
    return Answer(heard, least, weight / weight.sum(), inverse, _shares(score), float(found.sum()))


def _shares(score: NDArray[np.bool_]) -> Floats:
    kinds = [kind for kind in (score, ~score) if kind.any()]
    shares = [kind / (kind.sum() * len(kinds)) for kind in kinds]
    return np.asarray(np.sum(shares, axis=0), np.float32)


def _confidence(heads: Sequence[Floats]) -> dict[int, Floats]:
    """P -> (P,), for resolutions where some head scores."""
    found: dict[int, Floats] = {}
    for values in heads:
        score = scores(values)
        if score.any():
            sure = _sigmoid(values[score].max(axis=0))
            found[values.shape[1]] = found.get(values.shape[1], np.float32(1)) * sure
    return found


def scores(values: Floats) -> NDArray[np.bool_]:
    """(C,), True for channels that tell of something rare. values: (C, P)."""
    return np.asarray(_sigmoid(values).mean(axis=1) < RARE)


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))), np.float32)


def _drawn(x: Floats) -> Floats:
    """(C, P) with at most MOST positions, the same of all heads of one size."""
    flat = _flat(x)
    return flat if flat.shape[1] <= MOST else flat[:, _positions(flat.shape[1])]


@cache
def _positions(number: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(0).permutation(number)[:MOST])


def _flat(x: Floats) -> Floats:
    """(C, P). Tokens (1, P, C) of a matrix product are told by their three axes; (C,) has no batch axis."""
    x = x[0] if x.ndim > 1 else x
    if x.ndim == 1:
        return x[:, None]
    return x.T if x.ndim == 2 else x.reshape(len(x), -1)
