"""How near a model's outputs are to the float model's, as signals: signal to noise, relative error, cosine.

    noise = y - x,    signal = x - mean of x over the images

x is the float model's answer, y the other's. What is the same for every image is no signal: a grid of anchors
inside an output would hide any noise. An output of whole numbers (classes, indices) has the share of equal
values instead. Each metric is that of the worst output, for a model is right only where all its outputs are.

Shapes: N images, O outputs, R weightings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from paredown.detections import RawAnswer
from paredown.errors import DataError
from paredown.metrics.tally import ratio

Values = NDArray[np.float64]
MOST_DB = 120.0  # stands for no difference at all: float32 holds about as much


@dataclass(frozen=True)
class Signals:
    """Sums over the values of each output and image, all (N, O); nan where they do not belong to its kind.

    noise, signal: of squares. dot, own, reference: y x, y y, x x. equal: share of equal whole numbers.
    """

    noise: Values
    signal: Values
    dot: Values
    own: Values
    reference: Values
    equal: Values

    @property
    def n_images(self) -> int:
        return len(self.noise)

    @property
    def n_counts(self) -> int:
        return self.noise.size


def signals(answers: Sequence[RawAnswer], reference: Sequence[RawAnswer]) -> Signals:
    """The sums of one model's answers beside the float model's to the same images.

    Raises DataError where the two do not have the same outputs.
    """
    if len(answers) != len(reference):
        raise DataError("there must be one answer for each image", got=len(answers), expected=len(reference))
    counts = {len(a.values) for a in (*answers, *reference)}
    if len(counts) > 1:
        raise DataError("the models do not have the same number of outputs", got=sorted(counts))
    (n_outputs,) = counts or {0}
    sums = np.full((6, len(answers), n_outputs), np.nan)
    for o in range(n_outputs):
        middle = _middle([r.values[o] for r in reference])
        for i, (a, r) in enumerate(zip(answers, reference, strict=True)):
            sums[:, i, o] = _sums(a.values[o], r.values[o], middle)
    return Signals(*sums)


def _middle(values: Sequence[NDArray[np.generic]]) -> Values:
    """What is the same for all images: the mean at every place, of one image or of varying sizes over all."""
    if len(values) < 2 or len({v.size for v in values}) > 1:
        every = np.concatenate([v.astype(np.float64) for v in values])
        return np.array(every.mean() if every.size else 0.0)
    return np.asarray(np.mean(np.stack([v.astype(np.float64) for v in values]), axis=0))


def _sums(mine: NDArray[np.generic], floats: NDArray[np.generic], middle: Values) -> tuple[float, ...]:
    size = max(mine.size, floats.size)
    y, x = (np.pad(v.astype(np.float64), (0, size - v.size)) for v in (mine, floats))
    if floats.dtype.kind != "f":
        return (*(np.nan,) * 5, float((y == x).mean()) if size else 1.0)
    signal = x[: floats.size] - middle
    return (*(float(v @ w) for v, w in ((y - x, y - x), (signal, signal), (y, x), (y, y), (x, x))), np.nan)


@dataclass(frozen=True)
class SignalTally:
    """Signals counted under `weights` (R, N)."""

    signals: Signals
    weights: NDArray[np.int64]

    @cached_property
    def error(self) -> Values:
        """(R, O) |y - x| / |x - mean|, 0 where nothing differs; nan for whole numbers and for no image."""
        noise, signal = self._sum(self.signals.noise), self._sum(self.signals.signal)
        found = np.sqrt(ratio(noise, signal))
        found[(noise == 0) & self._any] = 0.0
        found[(noise > 0) & (signal == 0)] = np.inf
        return found

    @cached_property
    def equal(self) -> Values:
        """(R, O) share of equal whole numbers; nan for floats."""
        return ratio(self._sum(self.signals.equal), self.weights.sum(axis=1)[:, None] * self._ones)

    @cached_property
    def agreement(self) -> Values:
        """(R, O) 1 - error, at least 0; the share of equal values for whole numbers."""
        return np.where(np.isnan(self.error), self.equal, np.maximum(1 - self.error, 0.0))

    @cached_property
    def cosine(self) -> Values:
        """(R, O) sum of y x over the root of the sums of y y and x x; nan for whole numbers."""
        own, reference = self._sum(self.signals.own), self._sum(self.signals.reference)
        found = ratio(self._sum(self.signals.dot), np.sqrt(own * reference))
        found[(own == 0) & (reference == 0) & self._any] = 1.0
        return np.asarray(np.clip(found, -1.0, 1.0))

    @cached_property
    def decibel(self) -> Values:
        """(R, O) 20 log10 of 1 / error, at most MOST_DB on either side; nan for whole numbers."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.clip(-20 * np.log10(self.error), -MOST_DB, MOST_DB))

    @property
    def _ones(self) -> Values:
        return np.ones((1, self.signals.noise.shape[1]))

    @property
    def _any(self) -> NDArray[np.bool_]:
        floats = ~np.isnan(self.signals.noise).all(axis=0)
        return np.asarray((self.weights.sum(axis=1) > 0)[:, None] & floats, np.bool_)

    def _sum(self, values: Values) -> Values:
        """(R, O); an output that is not of the kind stays nan."""
        sums: Values = self.weights @ values
        return sums


def agreement(t: SignalTally) -> Values:
    """(R,) 1 - relative error of the worst output."""
    return _worst(t.agreement)


def decibel(t: SignalTally) -> Values:
    """(R,) signal to noise of the worst output."""
    return _worst(t.decibel)


def cosine(t: SignalTally) -> Values:
    """(R,) cosine of the worst output."""
    return _worst(t.cosine)


def _worst(values: Values) -> Values:
    """(R,) the least of each row (R, O), nan where none is known."""
    least = np.where(np.isnan(values), np.inf, values).min(axis=1, initial=np.inf)
    return np.where(np.isinf(least), np.nan, least)


def image_agreement(found: Signals) -> Values:
    """(N,) the agreement on each image."""
    return agreement(SignalTally(found, np.eye(found.n_images, dtype=np.int64)))
