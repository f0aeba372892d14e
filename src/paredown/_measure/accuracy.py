"""How right a model is: every metric of `METRICS` that applies, each with its confidence interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from paredown._measure.align import align
from paredown._measure.predict import Predicted, predict_all, predict_timed
from paredown.analyze.sampled import Sampled, difference, sampled
from paredown.card import Card
from paredown.detections import Prediction
from paredown.errors import DataError
from paredown.measurement import Quantity
from paredown.metrics import METRICS, kind_of
from paredown.sample import Dataset
from paredown.tasks import TASKS, headline
from paredown.tasks.task import Curves, Task

__all__ = ["Predicted", "accuracy", "align", "fidelity", "predict_all", "predict_timed"]

HISTOGRAM_BINS = 50  # of equal width between confidence 0 and 1
HISTOGRAM_FROM = 0.05  # below lies a mass of near-certain noise that would hide the rest


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
    task = TASKS[card.task]
    quantities: list[Quantity] = []
    curves: Curves = {"confidence_histogram": _histogram(predictions, task)}
    if judged:
        truths = [aligned.samples[i].truth for i in judged]
        answers = [predictions[i] for i in judged]
        mine = sampled(task.against_truth(answers, truths, card), task.tally, seed)
        official, curves_of_truth = task.official(answers, truths, mine.evidence, card)
        quantities += _quantities(mine, "truth", card.task, official)
        curves |= curves_of_truth
        if reference is not None and reference is not predictions:
            evidence = task.against_truth([reference[i] for i in judged], truths, card)
            floats = sampled(evidence, task.tally, seed)
            quantities.append(_drop(mine, floats, card.task))
    if reference is not None and not (judged and reference is predictions):
        agreement, curves_of_agreement = fidelity(predictions, reference, card, seed=seed)
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
    task = TASKS[card.task]
    mine = sampled(task.against_reference(predictions, reference, card), task.tally, seed)
    official, curves = task.official(predictions, task.as_truths(reference, card), mine.evidence, card)
    official = {f"fidelity_{name}": value for name, value in official.items()}
    return tuple(_quantities(mine, "reference", card.task, official)), curves


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


def _histogram(predictions: Sequence[Prediction], task: Task) -> tuple[float, ...]:
    """How much the predictions say per bin of confidence."""
    every = np.concatenate([np.zeros(0), *(task.confidences(p) for p in predictions)])
    counts, _ = np.histogram(every[every >= HISTOGRAM_FROM], HISTOGRAM_BINS, range=(0, 1))
    return tuple(float(n) for n in counts)


def _demand_headline(quantities: Sequence[Quantity], card: Card, has_truth: bool) -> None:
    name, words = headline(card.task, has_truth), TASKS[card.task].WORDS
    if any(q.name == name for q in quantities):
        return
    if has_truth:
        raise DataError(
            f"{words.no_truth}, so accuracy cannot be computed",
            hint="give more images, or a plain folder of images to compare with the float model",
        )
    raise DataError(
        f"there is no truth to judge by, and {words.no_reference} either",
        hint=f"is the model's card right? its confidence threshold is {card.conf:g}",
    )
