"""Outputs that nobody reads: a model is judged by how near they are to the float model's.

No truth is used, for nothing says what the outputs mean. An answer is a `RawAnswer`.

Shapes: N images, O outputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.detections import Prediction, RawAnswer
from paredown.draw import draw_label
from paredown.errors import DataError
from paredown.metrics.signal import Signals, SignalTally, image_agreement, signals
from paredown.sample import Truth
from paredown.tasks.card_evidence import RightAnswers
from paredown.tasks.marks import Canvas
from paredown.tasks.task import Curves, Words

NAME = TRUTH = "raw"
SUMMARY = "outputs that nobody reads: how near they are to the float model's"
WORDS = Words(
    kind="model whose outputs nobody reads",
    marks="outputs' ranges",
    shown="how far the outputs are apart",
    counted="outputs",
    counting="How many outputs are",
    held="even where its outputs held",
    tried_by="nothing",
    score="agreement of the worst output",
    of_class=("agreement", "outputs"),
    of_class_fidelity=("agreement", "outputs"),
    legend=(),
    legend_unknown=(),
    truths="",
    example="for name, values, shape in zip(card.classes, found.values, found.shapes):\n"
    "    print(name, values.reshape(shape))",
    no_truth="nothing says what the outputs mean, so no truth can be used",
    no_reference="no output changes with the image",
    named="outputs",
)
MORE_CLASSES = False
REFUSE_LOW = False
_LINE = 22  # pixels of a line of text


def classes_of(truth: Truth) -> NDArray[np.int64]:
    """None: no truth is used."""
    return np.zeros(0, np.int64)


def translate(truth: Truth, target: NDArray[np.int64]) -> Truth:
    """None: no truth is used."""
    return None


def truth_text(truth: Truth) -> str:
    """The same for every truth: none is used."""
    return str(None)


def store(predictions: Sequence[Prediction]) -> dict[str, NDArray[np.generic]]:
    """Of each output the values of all images one after the other, their sizes and the shapes."""
    found = answers(predictions)
    stored: dict[str, NDArray[np.generic]] = {}
    for o in range(len(found[0].values) if found else 0):
        stored[f"size{o}"] = np.array([a.values[o].size for a in found], np.int64)
        stored[f"value{o}"] = np.concatenate([a.values[o] for a in found])
        stored[f"shape{o}"] = np.array([a.shapes[o] for a in found], np.int64)
    return stored


def restore(arrays: Mapping[str, NDArray[Any]]) -> list[Prediction]:
    """The answers to each image."""
    columns = []
    for o in range(max(1, sum(name.startswith("size") for name in arrays))):
        cuts = np.cumsum(arrays[f"size{o}"])[:-1]
        shapes = [tuple(int(d) for d in shape) for shape in arrays[f"shape{o}"]]
        columns.append(list(zip(np.split(arrays[f"value{o}"], cuts), shapes, strict=True)))
    return [RawAnswer(*map(tuple, zip(*row, strict=True))) for row in zip(*columns, strict=True)]


def against_truth(predictions: Sequence[Prediction], truths: Sequence[Truth], card: Card) -> Signals:
    """Raises DataError: no truth is used."""
    raise DataError(WORDS.no_truth, hint="--decode FILE says what they mean (docs/unknown_model.md)")


def against_reference(
    predictions: Sequence[Prediction], reference: Sequence[Prediction], card: Card
) -> Signals:
    """The outputs held against the float model's."""
    return signals(answers(predictions), answers(reference))


def as_truths(reference: Sequence[Prediction], card: Card) -> list[Truth]:
    """The answers themselves."""
    return [*answers(reference)]


def tally(evidence: Signals, weights: NDArray[np.int64]) -> SignalTally:
    """The signals counted under `weights` (R, N)."""
    return SignalTally(evidence, weights)


def official(
    predictions: Sequence[Prediction], truths: Sequence[Truth], evidence: Signals, card: Card
) -> tuple[dict[str, float], Curves]:
    """No metric; of each output its agreement (where a class has its AP), signal to noise and cosine."""
    once = SignalTally(evidence, np.ones((1, evidence.n_images), np.int64))
    columns = {
        "ap_per_class": once.agreement,
        "output_decibel": once.decibel,
        "output_cosine": once.cosine,
    }
    return {}, {name: tuple(float(v) for v in values[0]) for name, values in columns.items()}


def image_scores(evidence: Signals) -> NDArray[np.float64]:
    """(N,) the agreement of the worst output of each image."""
    return image_agreement(evidence)


def disagreement(a: Sequence[Prediction], b: Sequence[Prediction], conf: float) -> NDArray[np.float64]:
    """(N,) 1 - agreement, whatever the confidence."""
    missing: NDArray[np.float64] = 1 - np.nan_to_num(
        image_agreement(signals(answers(b), answers(a))), nan=1.0
    )
    return missing


def confidences(prediction: Prediction) -> NDArray[np.floating]:
    """None: nothing says which value is a confidence."""
    return np.zeros(0)


def card_evidence(
    predictions: Sequence[Prediction], truths: Sequence[Truth], *, with_classes: bool
) -> RightAnswers:
    """None: no truth is used."""
    return RightAnswers(np.zeros(0), np.zeros(0))


def unclassed(truth: Truth) -> Truth:
    """None: no truth is used."""
    return None


def found_classes(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Counter[int]:
    """None: no truth is used."""
    return Counter()


def check_reference(
    predictions: Sequence[Prediction],
    truths: Sequence[Truth],
    card: Card,
    reread: Callable[[Sequence[int], Card], list[Prediction]],
) -> None:
    """Anything finite can be a reference; that is looked at for every family."""


def draw(
    canvas: Canvas, prediction: Prediction, card: Card, place: Callable[[NDArray[Any]], NDArray[Any]]
) -> Canvas:
    """Each output's range, one below the other."""
    (said,) = answers([prediction])
    return _lines(canvas, [f"{n}: {_range(v)}" for n, v in zip(card.classes, said.values, strict=False)])


def draw_pair(
    canvas: Canvas, a: Prediction, b: Prediction, truth: Truth, card: Card, scale: float
) -> tuple[str, Canvas, Canvas]:
    """The relative error of the worst output, and each output's range."""
    (missing,) = disagreement([a], [b], 0.0)
    drawn = [draw(canvas, p, card, lambda points: points) for p in (a, b)]
    return f"the outputs agree to {100 * (1 - missing):.1f} %", drawn[0], drawn[1]


def _lines(canvas: Canvas, lines: Sequence[str]) -> Canvas:
    drawn = canvas.copy()
    for row, line in enumerate(lines[: max(1, len(canvas) // _LINE - 1)]):
        draw_label(drawn, line, (0, _LINE * (row + 1)), (40, 40, 40))
    return drawn


def _range(values: NDArray[Any]) -> str:
    return f"{values.min():.4g} .. {values.max():.4g}" if values.size else "empty"


def answers(predictions: Sequence[Prediction]) -> list[RawAnswer]:
    """The predictions, all of them raw. Raises DataError where one is not."""
    found = [p for p in predictions if isinstance(p, RawAnswer)]
    if len(found) != len(predictions):
        raise DataError("the card says that nobody reads the model's outputs, its answers are read")
    return found
