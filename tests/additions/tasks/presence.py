"""A task as anyone may add one: which classes are in an image, any number of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.detections import ClassScores
from paredown.draw import draw_label
from paredown.metrics.metric import Metric
from paredown.metrics.tally import ratio
from paredown.tasks.card_evidence import RightAnswers
from paredown.tasks.classify import WORDS as CLASSIFY
from paredown.tasks.task import Words

NAME = TRUTH = "presence"
SUMMARY = "which classes are in an image"
WORDS = Words(**{**vars(CLASSIFY), "kind": "tagger", "marks": "classes that are there"})
MORE_CLASSES = False
REFUSE_LOW = True


@dataclass(frozen=True)
class Present:
    """The classes that are in an image."""

    task: ClassVar[str] = NAME
    classes: tuple[int, ...]


def classes_of(truth: Present | None) -> NDArray[np.int64]:
    return np.array([] if truth is None else truth.classes, np.int64)


def translate(truth: Present | None, target: NDArray[np.int64]) -> Present | None:
    if truth is None:
        return None
    return Present(tuple(int(target[c]) for c in truth.classes if target[c] >= 0))


def truth_text(truth: Present | None) -> str:
    return "unknown" if truth is None else " ".join(map(str, truth.classes))


def store(predictions: Sequence[ClassScores]) -> dict[str, NDArray[np.generic]]:
    return {"present": np.stack([p.scores for p in predictions])}


def restore(arrays: Mapping[str, NDArray[Any]]) -> list[ClassScores]:
    return [ClassScores(row) for row in arrays["present"]]


@dataclass(frozen=True)
class Alike:
    """How alike two sets of classes are on each image: what both have over what either has."""

    share: NDArray[np.float64]  # (N,)

    @property
    def n_images(self) -> int:
        return len(self.share)

    @property
    def n_counts(self) -> int:
        return len(self.share)


@dataclass(frozen=True)
class AlikeTally:
    """The same under `weights` (R, N)."""

    alike: Alike
    weights: NDArray[np.int64]


def mean_share(t: AlikeTally) -> NDArray[np.float64]:
    """(R,) the mean over images."""
    return ratio(t.weights @ t.alike.share, t.weights.sum(axis=1))


_metric = partial(Metric, compute=mean_share, better="higher", task=NAME, headline=True)
METRICS = (
    _metric("presence", "classes right", summary="share of classes right", against="truth"),
    _metric("fidelity_presence", "classes as float", summary="share as float says", against="reference"),
)


def against_truth(predictions: Sequence[ClassScores], truths: Sequence[Present], card: Card) -> Alike:
    pairs = zip(as_truths(predictions, card), truths, strict=True)
    sets = [(set(a.classes), set(b.classes)) for a, b in pairs]
    return Alike(np.array([len(a & b) / max(1, len(a | b)) for a, b in sets], np.float64))


def against_reference(
    predictions: Sequence[ClassScores], reference: Sequence[ClassScores], card: Card
) -> Alike:
    return against_truth(predictions, as_truths(reference, card), card)


def as_truths(reference: Sequence[ClassScores], card: Card) -> list[Present]:
    return [Present(tuple(np.flatnonzero(r.scores >= card.conf).tolist())) for r in reference]


def tally(evidence: Alike, weights: NDArray[np.int64]) -> AlikeTally:
    return AlikeTally(evidence, weights)


def official(
    predictions: Sequence[ClassScores], truths: Sequence[Present], evidence: Alike, card: Card
) -> tuple[dict[str, float], dict[str, tuple[float, ...]]]:
    return {}, {}


def image_scores(evidence: Alike) -> NDArray[np.float64]:
    return evidence.share


def disagreement(a: Sequence[ClassScores], b: Sequence[ClassScores], conf: float) -> NDArray[np.float64]:
    return np.array([abs(p.scores - q.scores).sum() for p, q in zip(a, b, strict=True)], np.float64)


def confidences(prediction: ClassScores) -> NDArray[np.float32]:
    return prediction.scores


def card_evidence(
    predictions: Sequence[ClassScores], truths: Sequence[Present | None], *, with_classes: bool
) -> RightAnswers:
    known = [(p, t) for p, t in zip(predictions, truths, strict=True) if t is not None]
    right = [set(np.flatnonzero(p.scores >= 0.5).tolist()) == set(t.classes) for p, t in known]
    return RightAnswers(np.array(right, np.float64), np.zeros(len(known)))


def unclassed(truth: Present | None) -> None:
    return None


def found_classes(predictions: Sequence[ClassScores], truths: Sequence[Present]) -> Counter[int]:
    return Counter()


def check_reference(predictions: Any, truths: Any, card: Card, reread: Any) -> None:
    """Anything can be a reference."""


def draw(canvas: Any, prediction: ClassScores, card: Card, place: Any) -> Any:
    (there,) = as_truths([prediction], card)
    drawn = canvas.copy()
    draw_label(drawn, " ".join(card.classes[c] for c in there.classes), (0, 0), (0, 0, 0))
    return drawn


def draw_pair(
    canvas: Any, a: ClassScores, b: ClassScores, truth: Any, card: Card, scale: float
) -> tuple[str, Any, Any]:
    counts = [len(t.classes) for t in as_truths([a, b], card)]
    why = f"{counts[0]} classes became {counts[1]}"
    return why, draw(canvas, a, card, None), draw(canvas, b, card, None)
