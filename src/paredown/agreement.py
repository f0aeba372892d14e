"""How far a model must agree with the float model where there is no truth to count its losses by.

Agreement is a metric taken against the float model's own answers, in per cent: mAP50-95 of a detector, for a
classifier the share of images with the same first class. It falls faster than accuracy does: a box that
moved, or a weak detection that came or went, is a disagreement, but seldom an error.

Where nobody reads the answer, agreement is 1 - |y - x| / |x| of the outputs themselves (`metrics.signal`).
No accuracy stands behind it: the limit is one of its own.
"""

from __future__ import annotations

PREFIX = "fidelity_"  # of the names of metrics against the float model's answers

PER_POINT = {"map50_95": 12.0, "top1": 6.0}
"""Points of agreement that go with one point of accuracy. Chosen by benchmarks/fidelity_limit.py, which
prints what was measured of both: docs/agreement.md."""

CONVENTION = {
    "signal": 10.0,
    "miou": 6.0,
    "mask_map50_95": 12.0,
    "pose_map50_95": 12.0,
    "turned_map50_95": 12.0,
    "prompt_miou": 6.0,
}
"""The same by convention, until enough was measured. mIoU: as a classifier's. Masks,
key points and turned boxes: as boxes. Outputs that nobody reads: a
relative error of a tenth, 20 dB of signal to noise, may be where a point of accuracy may be lost."""


def is_agreement(metric: str) -> bool:
    """Whether the metric is taken against the float model's answers, not against the truth."""
    return metric.startswith(PREFIX)


def least_agreement(metric: str, points: float) -> float:
    """The agreement, in per cent, of models that lose at most so many points of accuracy, as a rule.

    metric: "map50_95", "top1" or "signal", or its form against the float model.
    """
    return max(0.0, 100.0 - _per_point(metric) * points)


def likely_loss(metric: str, agreement: float) -> float:
    """The reverse of `least_agreement`: points of accuracy, from the agreement in per cent."""
    return (100.0 - agreement) / _per_point(metric)


def _per_point(metric: str) -> float:
    return (PER_POINT | CONVENTION)[metric.removeprefix(PREFIX)]
