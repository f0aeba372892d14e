"""Classification: one class for an image.

The truth is a class index, an answer `ClassScores`; judged by how often the first class is right.

Shapes: N images, C classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.detections import ClassScores, Prediction
from paredown.errors import CardError, DataError
from paredown.metrics import confusion
from paredown.metrics.outcomes import Outcomes, outcomes, probabilities
from paredown.metrics.per_image import class_gaps
from paredown.metrics.tally import ClassTally
from paredown.sample import Truth
from paredown.tasks.card_evidence import RightAnswers
from paredown.tasks.classify_drawing import draw_classes, draw_first_classes
from paredown.tasks.marks import Canvas
from paredown.tasks.task import Curves, Words

NAME = TRUTH = "classify"
SUMMARY = "classification: one class for an image"
WORDS = Words(
    kind="classifier",
    marks="best class",
    shown="the first class of each",
    counted="images",
    counting="On how many images the first class is",
    held="even where its top-1 held",
    tried_by="top-1",
    score="1 where the first class is right, else 0",
    of_class=("top-1", "images"),
    of_class_fidelity=("agreement", "images"),
    legend=(("right", "right"), ("missed", "wrong")),
    legend_unknown=(("same", "no truth is known"),),
    truths="",
    example="print([card.classes[i] for i in detect.top_classes(found.scores)])",
    no_truth="no image is of a class the model knows",
    no_reference="no answer of the float model",
)
MORE_CLASSES = True
REFUSE_LOW = True

MOST_TRUTHS = 20  # fewer right answers than this can be chance
_LEAST_PROBABILITY = 1e-7  # of a truth, so that one image cannot outweigh all others


def classes_of(truth: Truth) -> NDArray[np.int64]:
    """(1,) the true class, or (0,)."""
    return np.array([] if truth is None else class_indices([truth]), np.int64)


def translate(truth: Truth, target: NDArray[np.int64]) -> Truth:
    """The true class i as target[i]; None where that is -1."""
    if truth is None:
        return None
    (known,) = class_indices([truth])
    return int(target[known]) if target[known] >= 0 else None


def truth_text(truth: Truth) -> str:
    """The class index, or "None"."""
    return str(truth)


def store(predictions: Sequence[Prediction]) -> dict[str, NDArray[np.generic]]:
    """scores (N, C)."""
    return {"scores": np.stack([p.scores for p in class_scores(predictions)])}


def restore(arrays: Mapping[str, NDArray[Any]]) -> list[Prediction]:
    """The class scores of each image."""
    return [ClassScores(row) for row in arrays["scores"]]


def against_truth(predictions: Sequence[Prediction], truths: Sequence[Truth], card: Card) -> Outcomes:
    """The answers held against the true classes."""
    right = class_indices(truths)
    return outcomes(class_scores(predictions), right)


def against_reference(
    predictions: Sequence[Prediction], reference: Sequence[Prediction], card: Card
) -> Outcomes:
    """The answers held against the float model's first classes and their probabilities."""
    wanted = class_scores(reference)
    return outcomes(class_scores(predictions), [int(r.scores.argmax()) for r in wanted], wanted)


def as_truths(reference: Sequence[Prediction], card: Card) -> list[Truth]:
    """The first class of each answer; `confusion.NONE` where a score is not a number."""
    return [*confusion.said(class_scores(reference))]


def tally(evidence: Outcomes, weights: NDArray[np.int64]) -> ClassTally:
    """The outcomes counted under `weights` (R, N)."""
    return ClassTally(evidence, weights)


def official(
    predictions: Sequence[Prediction], truths: Sequence[Truth], evidence: Outcomes, card: Card
) -> tuple[dict[str, float], Curves]:
    """No metric; the confusion matrix as three columns: class wanted, class said, images."""
    cells = confusion.confusion(class_indices(truths), class_scores(predictions))
    columns = zip(*((true, said, n) for (true, said), n in cells.items()), strict=True)
    return {}, {
        f"confusion_{part}": tuple(float(v) for v in column)
        for part, column in zip(("true", "said", "count"), columns, strict=True)
    }


def image_scores(evidence: Outcomes) -> NDArray[np.float64]:
    """(N,) 1 where the first class is right, else 0."""
    return (evidence.rank < 1).astype(np.float64)


def disagreement(a: Sequence[Prediction], b: Sequence[Prediction], conf: float) -> NDArray[np.float64]:
    """(N,) half the sum of |p_a - p_b|, whatever the confidence."""
    return class_gaps(class_scores(a), class_scores(b))


def confidences(prediction: Prediction) -> NDArray[np.floating]:
    """(1,) the probability of the first class."""
    (said,) = class_scores([prediction])
    first: NDArray[np.float64] = probabilities(said).max(keepdims=True)
    return first


def card_evidence(
    predictions: Sequence[Prediction], truths: Sequence[Truth], *, with_classes: bool
) -> RightAnswers:
    """Where the first class is right, and the log probability of the true one; an answer is its class."""
    pairs = zip(predictions, truths, strict=True)
    known = [(p, t) for p, t in pairs if isinstance(p, ClassScores) and isinstance(t, int)]
    chances = [(np.nan_to_num(probabilities(p)), t) for p, t in known]
    right = np.array([float(c.argmax() == t) for c, t in chances], np.float64)
    truth = np.array([max(float(c[t]), _LEAST_PROBABILITY) for c, t in chances], np.float64)
    return RightAnswers(right, np.log(truth))


def unclassed(truth: Truth) -> Truth:
    """None: a class without a name says nothing."""
    return None


def found_classes(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Counter[int]:
    """None: what is found is the class."""
    return Counter()


def check_reference(
    predictions: Sequence[Prediction],
    truths: Sequence[Truth],
    card: Card,
    reread: Callable[[Sequence[int], Card], list[Prediction]],
) -> None:
    """Raises CardError where the first class is never right."""
    found = card_evidence(predictions, truths, with_classes=True)
    if found.n_images >= MOST_TRUTHS and not found.right.any():
        raise CardError(
            "the float model is never right: it is fed wrongly, or its classes are others",
            got=f"top-1 0 on {found.n_images} images",
            hint="say its input and its classes, in its order, in a card.toml beside it (docs/card.md)",
        )


def draw(
    canvas: Canvas, prediction: Prediction, card: Card, place: Callable[[NDArray[Any]], NDArray[Any]]
) -> Canvas:
    """The first classes with their probabilities."""
    (said,) = class_scores([prediction])
    return draw_classes(canvas, said, card)


def draw_pair(
    canvas: Canvas, a: Prediction, b: Prediction, truth: Truth, card: Card, scale: float
) -> tuple[str, Canvas, Canvas]:
    """The first class of both, green where it is the true one."""
    one, other = class_scores([a, b])
    return draw_first_classes(canvas, one, other, truth, card)


def class_scores(predictions: Sequence[Prediction]) -> list[ClassScores]:
    """The predictions, all of them class scores. Raises DataError where one is not."""
    found = [p for p in predictions if isinstance(p, ClassScores)]
    if len(found) != len(predictions):
        raise DataError("the card says the model is a classifier, its answers are boxes")
    return found


def class_indices(truths: Sequence[Truth]) -> list[int]:
    """The truths, all of them class indices. Raises DataError where one is not."""
    right = [t for t in truths if isinstance(t, int)]
    if len(right) != len(truths):
        kinds = ", ".join(sorted({type(t).__name__ for t in truths}))
        raise DataError("a classifier needs a true class for each image it is judged on", got=kinds)
    return right
