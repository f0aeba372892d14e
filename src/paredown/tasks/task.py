"""The protocol `Task`: all that depends on what a model is for, and on nothing else.

A task is a module with these names. What is true about an image and what a model says about it are opaque to
everybody but the task: the rest of the package hands them on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.detections import Prediction
from paredown.metrics.tally import Evidence
from paredown.sample import Truth
from paredown.tasks.card_evidence import CardEvidence
from paredown.tasks.marks import Canvas

Curves = dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class Words:
    """What texts say of a task.

    counted: what one prediction holds, and the sentence's start for "at or above a confidence"; held: what a
    model keeps while its confidence falls. tried_by: what cards of a model are tried by. of_class,
    of_class_fidelity: (measure, what is counted) of one class, against the truth and against the float model.
    legend, legend_unknown: (mark, meaning) of a pair of pictures, with truth and without; "{other}" is the
    second model. no_truth, no_reference: why there may be no headline.
    """

    kind: str  # "detector"
    marks: str  # what is drawn into an image
    shown: str  # the same, of a pair of pictures
    counted: str
    counting: str
    held: str
    tried_by: str
    score: str  # how right a model is on one image
    of_class: tuple[str, str]
    of_class_fidelity: tuple[str, str]
    legend: tuple[tuple[str, str], ...]
    legend_unknown: tuple[tuple[str, str], ...]
    truths: str  # what an image holds any number of: "true boxes"; "" where the truth is one
    example: str  # Python that uses `found` of the bundle's script
    no_truth: str
    no_reference: str
    named: str = "classes"  # what the card's names are of
    left_out: str = "truth"  # what is dropped where the model does not know a class


class Task(Protocol):
    """One row of `TASKS`."""

    NAME: str  # as a card says it
    TRUTH: str  # the task whose truth it is judged by: its own, or that of boxes
    SUMMARY: str
    WORDS: Words
    MORE_CLASSES: bool  # whether a model often has more classes than the data set, or a background first
    REFUSE_LOW: bool  # whether a card with a low score is refused even where no other does as well

    def classes_of(self, truth: Truth) -> NDArray[np.int64]:
        """(n,) the class index of everything true about an image; none where nothing is known."""

    def translate(self, truth: Truth, target: NDArray[np.int64]) -> Truth:
        """The truth with class i as target[i], without what has a target of -1; None where nothing is left
        to know."""

    def truth_text(self, truth: Truth) -> str:
        """A text that differs where truths differ."""

    def store(self, predictions: Sequence[Prediction]) -> dict[str, NDArray[np.generic]]:
        """The predictions for all images as a few arrays by name."""

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> list[Prediction]:
        """What `store` was given. Raises KeyError where the arrays are of another task."""

    def against_truth(
        self, predictions: Sequence[Prediction], truths: Sequence[Truth], card: Card
    ) -> Evidence:
        """The evidence of a model's answers held against what is true."""

    def against_reference(
        self, predictions: Sequence[Prediction], reference: Sequence[Prediction], card: Card
    ) -> Evidence:
        """The evidence of a model's answers held against the float model's answers to the same images."""

    def as_truths(self, reference: Sequence[Prediction], card: Card) -> list[Truth]:
        """What a reference says of each image, taken for what is true."""

    def tally(self, evidence: Any, weights: NDArray[np.int64]) -> Any:
        """The evidence counted under `weights` (R, N): what the task's metrics are computed from."""

    def official(
        self, predictions: Sequence[Prediction], truths: Sequence[Truth], evidence: Any, card: Card
    ) -> tuple[dict[str, float], Curves]:
        """Metrics that another program computes and is quoted for, by name, and the curves by name."""

    def image_scores(self, evidence: Any) -> NDArray[np.float64]:
        """(N,) how right a model is on each image; nan where an image tells nothing."""

    def disagreement(
        self, a: Sequence[Prediction], b: Sequence[Prediction], conf: float
    ) -> NDArray[np.float64]:
        """(N,) how much two models differ on each image, of what is shown from confidence `conf` on."""

    def confidences(self, prediction: Prediction) -> NDArray[np.floating]:
        """(n,) the confidence of everything that a prediction says, 0..1."""

    def card_evidence(
        self, predictions: Sequence[Prediction], truths: Sequence[Truth], *, with_classes: bool
    ) -> CardEvidence:
        """What the images that have a truth say about a card; with_classes: whether classes must be right."""

    def unclassed(self, truth: Truth) -> Truth:
        """The truth as far as it holds for a model whose classes have no names, else None."""

    def found_classes(self, predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Counter[int]:
        """True classes of what a model confidently finds, whatever it calls them, with how often."""

    def check_reference(
        self,
        predictions: Sequence[Prediction],
        truths: Sequence[Truth],
        card: Card,
        reread: Callable[[Sequence[int], Card], list[Prediction]],
    ) -> None:
        """Raises CardError where the float model's answers can be no reference.

        truths: None where nothing is known. reread: what the model says of the images with these indices,
        read by another card.
        """

    def draw(
        self,
        canvas: Canvas,
        prediction: Prediction,
        card: Card,
        place: Callable[[NDArray[Any]], NDArray[Any]],
    ) -> Canvas:
        """A copy of the canvas with what the model says at the card's confidence.

        place: points (..., 2) of the image -> points of the canvas, in pixels.
        """

    def draw_pair(
        self, canvas: Canvas, a: Prediction, b: Prediction, truth: Truth, card: Card, scale: float
    ) -> tuple[str, Canvas, Canvas]:
        """How b differs from a in words, and both drawn, with the truth where it is known.

        scale: pixels of the canvas to one of the image.
        """
