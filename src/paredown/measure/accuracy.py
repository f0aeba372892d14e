"""How right a model is: every metric of `METRICS` that applies, each with its confidence interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paredown.analyze.bootstrap import RESAMPLES, Difference, interval, paired_difference, resample_weights
from paredown.card import Card, Task
from paredown.detections import Detections, Prediction
from paredown.errors import DataError
from paredown.measure.align import align
from paredown.measure.predict import Predicted, predict_all, predict_timed
from paredown.measurement import Quantity
from paredown.metrics import METRICS, coco
from paredown.metrics.classification import probabilities
from paredown.metrics.detection import class_miss_rates
from paredown.metrics.matching import Matches, as_truth
from paredown.metrics.metric import Metric
from paredown.metrics.tally import DetectionTally, Evidence, against_reference, against_truth, tally
from paredown.sample import Dataset, Labels, Truth

__all__ = ["Predicted", "accuracy", "align", "headline", "predict_all", "predict_timed"]

HISTOGRAM_BINS = 50  # of equal width between confidence 0 and 1
HISTOGRAM_FROM = 0.05  # below lies a mass of near-certain noise that would hide the rest
_MOST_COUNTS = 40_000_000  # detections x resamples, about 5 s: larger data sets get fewer resamples

Curves = dict[str, tuple[float, ...]]


def headline(task: Task, has_truth: bool) -> str:
    """The name of the one quantity that judges a model."""
    name = "map50_95" if task == "detect" else "top1"
    return name if has_truth else f"fidelity_{name}"


def accuracy(
    predictions: Sequence[Prediction],
    dataset: Dataset,
    card: Card,
    reference: Sequence[Prediction] | None = None,
    *,
    seed: int = 0,
) -> tuple[tuple[Quantity, ...], Curves]:
    """Every metric that applies, the headline first, and the curves behind them.

    `reference`: the float model's predictions for the same images. With truth it adds the fidelity metrics
    and the paired drop ("map50_95_drop", in points). Without truth it is all there is to judge by; the float
    model's own line is then its predictions given twice. A metric with nothing to stand on is left out.

    Raises: DataError where there is neither truth nor reference, or nothing for the headline to stand on.
    """
    aligned, _ = align(dataset, card)
    if len(predictions) != len(aligned) or (reference is not None and len(reference) != len(aligned)):
        raise DataError(
            "there must be one prediction for each image", got=len(predictions), expected=len(aligned)
        )
    judged = [i for i, s in enumerate(aligned) if s.truth is not None]
    quantities: list[Quantity] = []
    curves: Curves = {"confidence_histogram": _histogram(predictions)}
    if judged:
        truths = [aligned.samples[i].truth for i in judged]
        mine = _against_truth([predictions[i] for i in judged], truths, card, seed)
        quantities += mine.quantities
        curves |= mine.curves
        if reference is not None and reference is not predictions:
            float_evidence = against_truth([reference[i] for i in judged], truths, card)
            quantities.append(_drop(mine.evidence, float_evidence, card.task, seed))
    if reference is not None and not (judged and reference is predictions):
        fidelity = _against_reference(predictions, reference, card, seed)
        quantities += fidelity.quantities
        curves = fidelity.curves | curves
    _demand_headline(quantities, card, has_truth=bool(judged))
    return tuple(quantities), curves


@dataclass(frozen=True)
class _Judged:
    evidence: Evidence
    quantities: list[Quantity]
    curves: Curves


def _against_truth(
    predictions: Sequence[Prediction], truths: Sequence[Truth], card: Card, seed: int
) -> _Judged:
    evidence = against_truth(predictions, truths, card)
    labels = [t for t in truths if isinstance(t, Labels)]
    official, curves = _official(predictions, labels, evidence, card)
    return _Judged(evidence, list(_quantities(evidence, "truth", card.task, official, seed)), curves)


def _against_reference(
    predictions: Sequence[Prediction], reference: Sequence[Prediction], card: Card, seed: int
) -> _Judged:
    evidence = against_reference(predictions, reference, card)
    labels = [as_truth(r.above(card.conf)) for r in reference if isinstance(r, Detections)]
    official, curves = _official(predictions, labels, evidence, card)
    official = {f"fidelity_{name}": value for name, value in official.items()}
    return _Judged(evidence, list(_quantities(evidence, "reference", card.task, official, seed)), curves)


def _official(
    predictions: Sequence[Prediction], labels: Sequence[Labels], evidence: Evidence, card: Card
) -> tuple[dict[str, float], Curves]:
    """The AP values reported, which are faster-coco-eval's, and the curves; empty for a classifier."""
    if not isinstance(evidence, Matches):
        return {}, {}
    found = [p for p in predictions if isinstance(p, Detections)]
    result = coco.evaluate(found, labels, len(card.classes), card.max_detections)
    misses = class_miss_rates(DetectionTally(evidence, _each_once(evidence)))[0]
    return result.values, {
        "ap_per_class": _floats(result.class_ap),
        "miss_rate_per_class": _floats(misses),
        "pr_recall": _floats(np.linspace(0, 1, len(result.precision))),
        "pr_precision": _floats(result.precision),
    }


def _quantities(
    evidence: Evidence, against: str, task: Task, official: dict[str, float], seed: int
) -> Iterator[Quantity]:
    once = tally(evidence, _each_once(evidence))
    resampled = tally(evidence, _resamples(evidence, seed))
    for metric in METRICS.values():
        if metric.task != task or metric.against != against:
            continue
        value = official.get(metric.name, float(metric.compute(once)[0]))
        if np.isnan(value):
            continue
        i = interval(value, metric.compute(resampled))
        yield Quantity(metric.name, value, metric.unit, metric.better, low=i.low, high=i.high, ci=i.method)


def differences(
    a: Evidence, b: Evidence, metrics: Sequence[Metric], seed: int = 0
) -> Iterator[tuple[Metric, float, float, Difference]]:
    """Of each metric: its value for a, for b, and b - a with the interval of the paired bootstrap."""
    weights = _resamples(a, seed)
    once = [tally(e, _each_once(e)) for e in (a, b)]
    resampled = [tally(e, weights) for e in (a, b)]
    for metric in metrics:
        value_a, value_b = (float(metric.compute(t)[0]) for t in once)
        spread_a, spread_b = (metric.compute(t) for t in resampled)
        yield metric, value_a, value_b, paired_difference(value_a, value_b, spread_a, spread_b)


def _drop(mine: Evidence, floats: Evidence, task: Task, seed: int) -> Quantity:
    """Points lost against the float model on the same images."""
    metric = METRICS[headline(task, has_truth=True)]
    _, _, _, d = next(differences(mine, floats, [metric], seed))
    name, method = f"{metric.name}_drop", f"{d.method}, p = {d.p_value:.3g}"
    return Quantity(name, 100 * d.value, "points", "lower", low=100 * d.low, high=100 * d.high, ci=method)


def _each_once(evidence: Evidence) -> NDArray[np.int64]:
    return np.ones((1, evidence.n_images), np.int64)


def _resamples(evidence: Evidence, seed: int) -> NDArray[np.int64]:
    n_detections = len(evidence.score) if isinstance(evidence, Matches) else evidence.n_images
    fewer = _MOST_COUNTS // max(1, n_detections)
    return resample_weights(evidence.n_images, max(RESAMPLES // 4, min(RESAMPLES, fewer)), seed)


def _histogram(predictions: Sequence[Prediction]) -> tuple[float, ...]:
    """Detections, or first classes, per bin of confidence."""
    scores = [
        p.scores if isinstance(p, Detections) else probabilities(p).max(keepdims=True) for p in predictions
    ]
    every = np.concatenate([np.zeros(0), *scores])
    return _floats(np.histogram(every[every >= HISTOGRAM_FROM], HISTOGRAM_BINS, range=(0, 1))[0])


def _demand_headline(quantities: Sequence[Quantity], card: Card, has_truth: bool) -> None:
    name = headline(card.task, has_truth)
    if any(q.name == name for q in quantities):
        return
    if has_truth:
        raise DataError(
            "no image holds a true box of a class the model knows, so accuracy cannot be computed",
            hint="give more images, or a plain folder of images to compare with the float model",
        )
    raise DataError(
        "there is no truth to judge by, and no detection of the float model either",
        hint=f"is the model's card right? its confidence threshold is {card.conf:g}",
    )


def _floats(values: NDArray[np.generic]) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
