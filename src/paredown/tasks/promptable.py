"""Promptable masks: the mask of the object that a box or a point asks for.

The truth is `Labels` with masks, an answer `Detections` with a row for each prompt of `prompts_of`, in
its order; a row's class is the kind of its prompt. Judged by the mean IoU over prompts. What an object is
called has no part in it; an object of which only the box is known asks, and is judged against the float model
alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.detections import Detections, Mask, Prediction
from paredown.draw import draw_shapes
from paredown.errors import CardError, DataError
from paredown.metrics.matching import as_truth
from paredown.metrics.prompted import PromptOverlaps, PromptTally, mask_iou, prompt_miou
from paredown.preprocessing.prompts import BOX, KINDS, MOVED
from paredown.sample import Labels, Truth
from paredown.tasks import detect
from paredown.tasks.card_evidence import RightAnswers
from paredown.tasks.detect import confidences, detections, draw, labels, restore, store, truth_text
from paredown.tasks.marks import Canvas
from paredown.tasks.prompting import mask_of, prompts_of
from paredown.tasks.task import Curves

__all__ = ["confidences", "draw", "restore", "store", "truth_text"]

NAME = "promptable"
TRUTH = "detect"
SUMMARY = "promptable masks: the mask of what a box or a point asks for"
WORDS = replace(
    detect.WORDS,
    kind="promptable segmenter",
    marks="masks of objects",
    shown="the masks that boxes and points ask for",
    counted="masks",
    counting="How many masks the model guesses to fit",
    held="even where its mIoU held",
    tried_by="mIoU",
    score="mean IoU over what is asked",
    of_class=("mIoU", "prompts"),
    of_class_fidelity=("mIoU", "prompts of the float model"),
    legend=(),
    legend_unknown=(),
    truths="true masks",
    example="for mask, score in zip(found.masks, found.scores):\n"
    "    print(score, mask.pixels.sum())      # (H, W) true where the object is",
    no_truth="no image holds an object whose mask is known",
    no_reference="the float model was asked nothing",
    named="prompts",
    left_out="object",
)
MORE_CLASSES = REFUSE_LOW = False
NOTHING = 0.05  # an mIoU below is chance: the whole image as the answer to everything has more, as a rule


def classes_of(truth: Truth) -> NDArray[np.int64]:
    """(n,) the kind of every prompt that is judged against the truth."""
    if not isinstance(truth, Labels):
        return np.zeros(0, np.int64)
    kinds = [p.kind for p in prompts_of(truth, (0, 0)) if mask_of(truth, p.thing) is not None]
    return np.array(kinds, np.int64)


def translate(truth: Truth, target: NDArray[np.int64]) -> Truth:
    """The truth as it is: what an object is called has no part in it."""
    return truth


def against_truth(predictions: Sequence[Prediction], truths: Sequence[Truth], card: Card) -> PromptOverlaps:
    """The masks held against those of the objects that were asked for."""
    return _true(predictions, truths)


def _true(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> PromptOverlaps:
    found, known = detections(predictions), labels(truths)
    where: list[tuple[int, int, int]] = []
    said: list[Mask] = []
    wanted: list[Mask] = []
    for i, (rows, truth) in enumerate(zip(found, known, strict=True)):
        prompts = prompts_of(truth, (0, 0))
        _check_rows(len(rows), len(prompts), i)
        for mine, prompt in zip(rows.masks or (), prompts, strict=True):
            true = mask_of(truth, prompt.thing)
            if true is not None:
                where.append((i, prompt.kind, prompt.thing))
                said.append(mine)
                wanted.append(true)
    return _overlaps(len(found), where, mask_iou(said, wanted))


def against_reference(
    predictions: Sequence[Prediction], reference: Sequence[Prediction], card: Card
) -> PromptOverlaps:
    """The masks held against the float model's answers to the same prompts."""
    return _held(predictions, reference)


def _held(predictions: Sequence[Prediction], reference: Sequence[Prediction]) -> PromptOverlaps:
    found, floats = detections(predictions), detections(reference)
    where: list[tuple[int, int, int]] = []
    said: list[Mask] = []
    wanted: list[Mask] = []
    for i, (rows, others) in enumerate(zip(found, floats, strict=True)):
        _check_rows(len(rows), len(others), i)
        where += [(i, int(kind), -1) for kind in others.classes]
        said += rows.masks or ()
        wanted += others.masks or ()
    return _overlaps(len(found), where, mask_iou(said, wanted))


def _check_rows(got: int, expected: int, image: int) -> None:
    if got != expected:
        raise DataError(
            f"there must be one mask for each prompt of image {image}", got=got, expected=expected
        )


def _overlaps(n: int, where: list[tuple[int, int, int]], iou: NDArray[np.float64]) -> PromptOverlaps:
    """where: image, kind and object of each prompt."""
    image, kind, thing = np.array(where, np.int64).reshape(-1, 3).T
    return PromptOverlaps(n, image, kind, thing, iou, (BOX, MOVED))


def as_truths(reference: Sequence[Prediction], card: Card) -> list[Truth]:
    """The masks that boxes asked for, as if they were true."""
    return [as_truth(r.take(np.flatnonzero(r.classes == BOX))) for r in detections(reference)]


def tally(evidence: PromptOverlaps, weights: NDArray[np.int64]) -> PromptTally:
    """The overlaps counted under `weights` (R, N)."""
    return PromptTally(evidence, weights)


def official(
    predictions: Sequence[Prediction], truths: Sequence[Truth], evidence: PromptOverlaps, card: Card
) -> tuple[dict[str, float], Curves]:
    """No metric; the mean IoU of each kind of prompt."""
    once = PromptTally(evidence, np.ones((1, evidence.n_images), np.int64))
    return {}, {"ap_per_class": tuple(float(once.mean(kind)[0]) for kind in range(len(KINDS)))}


def image_scores(evidence: PromptOverlaps) -> NDArray[np.float64]:
    """(N,) mean IoU of each image; nan where nothing is asked."""
    return prompt_miou(PromptTally(evidence, np.eye(evidence.n_images, dtype=np.int64)))


def disagreement(a: Sequence[Prediction], b: Sequence[Prediction], conf: float) -> NDArray[np.float64]:
    """(N,) 1 - mean IoU of both models' masks, whatever the confidence."""
    both = _held(b, a)
    missing: NDArray[np.float64] = 1 - np.nan_to_num(image_scores(both), nan=1.0)
    return missing


def card_evidence(
    predictions: Sequence[Prediction], truths: Sequence[Truth], *, with_classes: bool
) -> RightAnswers:
    """The mean IoU of each image that has a true mask."""
    pairs = [(p, t) for p, t in zip(predictions, truths, strict=True) if isinstance(t, Labels)]
    scores = image_scores(_true([p for p, _ in pairs], [t for _, t in pairs]))
    known = scores[~np.isnan(scores)]
    return RightAnswers(known, np.zeros(len(known)))


def unclassed(truth: Truth) -> Truth:
    """The truth as it is."""
    return truth


def found_classes(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Counter[int]:
    """None: what an object is called has no part in it."""
    return Counter()


def check_reference(
    predictions: Sequence[Prediction],
    truths: Sequence[Truth],
    card: Card,
    reread: Callable[[Sequence[int], Card], list[Prediction]],
) -> None:
    """Raises CardError where the float model's masks have next to nothing in common with the true ones."""
    found = card_evidence(predictions, truths, with_classes=False)
    if found.n_images and found.value < NOTHING:
        raise CardError(
            "the float model hardly ever finds what it is asked for: it is fed or asked wrongly",
            got=f"mIoU {found.value:.3f} on {found.n_images} images",
            hint="say its input in a card.toml beside it (docs/card.md, docs/promptable.md)",
        )


def draw_pair(
    canvas: Canvas, a: Prediction, b: Prediction, truth: Truth, card: Card, scale: float
) -> tuple[str, Canvas, Canvas]:
    """The masks of both, those of moved boxes left out; the mean IoU in words."""
    (missing,) = disagreement([a], [b], 0.0)
    one, other = (_shown(d) for d in detections([a, b]))
    drawn = [draw_shapes(canvas, replace(d, classes=np.arange(len(d)) // 2)) for d in (one, other)]
    return f"mean IoU {1 - missing:.3f} of the masks asked for", drawn[0], drawn[1]


def _shown(found: Detections) -> Detections:
    return found.take(np.flatnonzero(found.classes != MOVED))
