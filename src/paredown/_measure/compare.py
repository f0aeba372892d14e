"""Two models on the same images: what differs, by how much, and whether that could be chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from paredown._measure.accuracy import fidelity
from paredown._measure.align import align
from paredown.analyze.sampled import difference, sampled
from paredown.card import Card
from paredown.detections import Prediction
from paredown.measurement import Quantity
from paredown.metrics import METRICS
from paredown.metrics.tally import Evidence
from paredown.quantities import Better
from paredown.sample import Dataset
from paredown.statistics.confidence_interval import Difference
from paredown.statistics.paired import sign_flip_test
from paredown.tasks import TASKS


@dataclass(frozen=True)
class Line:
    """One metric of both models. `difference` is b - a, paired over images."""

    name: str
    better: Better
    a: float
    b: float
    difference: Difference


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    `lines`, and the images on which one model is better, need truth; without it they are empty.
    `agreement`: how far b says what a says, whatever is true (the fidelity metrics).
    `p_value`: of b being neither better nor worse than a, by sign flips of the per-image scores.
    `n_images`: with truth.
    """

    lines: tuple[Line, ...]
    agreement: tuple[Quantity, ...]
    a_better: tuple[int, ...]  # indices of images
    b_better: tuple[int, ...]
    p_value: float | None
    n_images: int = 0


def compare(
    a: Sequence[Prediction], b: Sequence[Prediction], dataset: Dataset, card: Card, *, seed: int = 0
) -> Comparison:
    """The comparison of two models' predictions for the same images, in the same classes."""
    task = TASKS[card.task]
    aligned, _ = align(dataset, card)
    agreement, _ = fidelity(b, a, card, seed=seed)
    judged = [i for i, s in enumerate(aligned) if s.truth is not None]
    if not judged:
        return Comparison((), agreement, (), (), None)
    truths = [aligned.samples[i].truth for i in judged]
    one, two = (task.against_truth([p[i] for i in judged], truths, card) for p in (a, b))
    return replace(compare_evidence(one, two, card.task, judged, seed=seed), agreement=agreement)


def compare_evidence(
    a: Evidence, b: Evidence, task_name: str, judged: Sequence[int], *, seed: int = 0
) -> Comparison:
    """The comparison of what was found of two models against the truth. judged: indices of its images."""
    task = TASKS[task_name]
    one, two = (sampled(evidence, task.tally, seed) for evidence in (a, b))
    metrics = [m for m in METRICS.values() if m.task == task_name and m.against == "truth"]
    lines = [
        Line(m.name, m.better, one.value(m), two.value(m), difference(one, two, m))
        for m in metrics
        if not np.isnan(one.value(m) + two.value(m))
    ]
    gaps = task.image_scores(b) - task.image_scores(a)
    return Comparison(
        lines=tuple(lines),
        agreement=(),
        a_better=tuple(judged[int(i)] for i in np.flatnonzero(gaps < 0)),
        b_better=tuple(judged[int(i)] for i in np.flatnonzero(gaps > 0)),
        p_value=sign_flip_test(gaps, seed),
        n_images=len(judged),
    )


def most_different(a: Sequence[Prediction], b: Sequence[Prediction], n: int, card: Card) -> tuple[int, ...]:
    """Indices of the at most n images on which the two differ most, the most different first.

    Images on which they say the same are left out. What counts is what is shown at the card's threshold.
    """
    gaps = TASKS[card.task].disagreement(a, b, card.conf)
    order = np.argsort(-gaps, kind="stable")[:n]
    return tuple(int(i) for i in order if gaps[i] > 0)
