"""A classifier's answer written into an image."""

from __future__ import annotations

import numpy as np

from paredown.card import Card
from paredown.detections import ClassScores
from paredown.draw import class_colour, draw_label
from paredown.metrics.outcomes import probabilities
from paredown.sample import Truth
from paredown.tasks.marks import CHANGED, Canvas, class_name

LINE = 22  # pixels of a line of text
SHOWN_CLASSES = 3
RIGHT = (0, 121, 92)  # RGB


def draw_classes(canvas: Canvas, said: ClassScores, card: Card) -> Canvas:
    """The first classes with their probabilities, one below the other."""
    drawn, chances = canvas.copy(), probabilities(said)
    for row, best in enumerate(np.argsort(-chances, kind="stable")[:SHOWN_CLASSES]):
        label = f"{card.classes[int(best)]} {float(chances[best]):.2f}"
        draw_label(drawn, label, (0, LINE * (row + 1)), class_colour(int(best)))
    return drawn


def draw_first_classes(
    canvas: Canvas, a: ClassScores, b: ClassScores, truth: Truth, card: Card
) -> tuple[str, Canvas, Canvas]:
    """In words what became of a's first class in b, and both drawn."""
    before, after = (card.classes[int(p.scores.argmax())] for p in (a, b))
    why = f"{before} became {after}" if before != after else f"{before} in both, less alike in score"
    return why, _class(canvas, a, truth, card), _class(canvas, b, truth, card)


def _class(canvas: Canvas, said: ClassScores, truth: Truth, card: Card) -> Canvas:
    """The first class with its probability, and below it the true class where it is known."""
    drawn = canvas.copy()
    chances = probabilities(said)
    best = int(chances.argmax())
    known = isinstance(truth, int)
    colour = RIGHT if known and truth == best else CHANGED["missed"] if known else class_colour(best)
    draw_label(drawn, f"{class_name(best, card)} {float(chances[best]):.2f}", (0, 0), colour)
    if isinstance(truth, int):
        draw_label(drawn, f"true: {class_name(truth, card)}", (0, drawn.shape[0] - 1), (60, 60, 60))
    return drawn
