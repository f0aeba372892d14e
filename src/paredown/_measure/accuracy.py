"""How right a model is: every metric of `METRICS` that applies, each with its confidence interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from paredown._measure.align import align
from paredown._measure.predict import Predicted, predict_all, predict_timed
from paredown.analyze.sampled import Sampled, difference, sampled
from paredown.card import Card
from paredown.detections import ClassScores, Detections, Prediction
from paredown.errors import DataError
from paredown.measurement import Quantity
from paredown.metrics import METRICS, coco, confusion, kind_of
from paredown.metrics.average_precision import RECALLS
from paredown.metrics.detection import class_miss_rates
from paredown.metrics.matching import Matches, as_truth
from paredown.metrics.outcomes import probabilities
from paredown.metrics.tally import DetectionTally, Evidence, against_reference, against_truth
from paredown.sample import Dataset, Labels, Truth
from paredown.tasks import headline

__all__ = ["Predicted", "accuracy", "align", "fidelity", "predict_all", "predict_timed"]

HISTOGRAM_BINS = 50  # of equal width between confidence 0 and 1
HISTOGRAM_FROM = 0.05  # below lies a mass of near-certain noise that would hide the rest

Curves = dict[str, tuple[float, ...]]


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
        mine = sampled(against_truth([predictions[i] for i in judged], truths, card), seed)
        official, curves_of_truth = _official([predictions[i] for i in judged], truths, mine.evidence, card)
        quantities += _quantities(mine, "truth", card.task, official)
        curves |= curves_of_truth
        curves |= _confusion([predictions[i] for i in judged], truths)
        if reference is not None and reference is not predictions:
            floats = sampled(against_truth([reference[i] for i in judged], truths, card), seed)
            quantities.append(_drop(mine, floats, card.task))
    if reference is not None and not (judged and reference is predictions):
        agreement, curves_of_agreement = fidelity(predictions, reference, card, seed=seed)
        first = confusion.said([r for r in reference if isinstance(r, ClassScores)])
        curves_of_agreement |= {} if judged else _confusion(predictions, first)
        quantities += agreement
        curves = curves_of_agreement | curves
    if not judged and reference is None:
        raise DataError(
            "there is no truth to judge by, and no float model to agree with",
            hint="give images with truth, or the float model as --baseline (in Python: baseline=)",
        )
    _demand_headline(quantities, card, has_truth=bool(judged))
    return tuple(quantities), curves


def fidelity(
    predictions: Sequence[Prediction], reference: Sequence[Prediction], card: Card, *, seed: int = 0
) -> tuple[tuple[Quantity, ...], Curves]:
    """How far a model says what the reference says, whatever is true."""
    mine = sampled(against_reference(predictions, reference, card), seed)
    stand_ins = [as_truth(r.above(card.conf)) for r in reference if isinstance(r, Detections)]
    official, curves = _official(predictions, stand_ins, mine.evidence, card)
    official = {f"fidelity_{name}": value for name, value in official.items()}
    return tuple(_quantities(mine, "reference", card.task, official)), curves


def _official(
    predictions: Sequence[Prediction], truths: Sequence[Truth], evidence: Evidence, card: Card
) -> tuple[dict[str, float], Curves]:
    """The AP values reported, which are faster-coco-eval's, and the curves; empty for a classifier."""
    if not isinstance(evidence, Matches):
        return {}, {}
    found = [p for p in predictions if isinstance(p, Detections)]
    labels = [t for t in truths if isinstance(t, Labels)]
    result = coco.evaluate(found, labels, len(card.classes), card.max_detections)
    each_once = np.ones((1, evidence.n_images), np.int64)
    return result.values, {
        "ap_per_class": _floats(result.class_ap),
        "miss_rate_per_class": _floats(class_miss_rates(DetectionTally(evidence, each_once))[0]),
        "pr_recall": _floats(RECALLS),
        "pr_precision": _floats(result.precision),
    }


def _confusion(predictions: Sequence[Prediction], wanted: Sequence[Truth]) -> Curves:
    """The confusion matrix of a classifier as three columns: class wanted, class said, images."""
    found = [p for p in predictions if isinstance(p, ClassScores)]
    classes = [w for w in wanted if isinstance(w, int)]
    if not found or len(found) != len(classes):
        return {}
    cells = confusion.confusion(classes, found)
    columns = zip(*((true, said, n) for (true, said), n in cells.items()), strict=True)
    return {
        f"confusion_{part}": tuple(float(v) for v in column)
        for part, column in zip(("true", "said", "count"), columns, strict=True)
    }


def _quantities(mine: Sampled, against: str, task: str, official: Mapping[str, float]) -> Iterator[Quantity]:
    for metric in METRICS.values():
        if metric.task != task or metric.against != against:
            continue
        value = official.get(metric.name, mine.value(metric))
        if not np.isnan(value):
            i = mine.interval(metric, value)
            yield Quantity(
                metric.name, value, metric.unit, metric.better, low=i.low, high=i.high, ci=i.method
            )


def _drop(mine: Sampled, floats: Sampled, task: str) -> Quantity:
    """Points lost against the float model on the same images."""
    metric = METRICS[headline(task, has_truth=True)]
    d = difference(mine, floats, metric)
    kind, method = kind_of(f"{metric.name}_drop"), f"{d.method}, p = {d.p_value:.3g}"
    ends = 100 * d.low, 100 * d.high
    return Quantity(kind.name, 100 * d.value, kind.unit, kind.better, "derived", (), *ends, method)


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
