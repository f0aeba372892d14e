"""A family as anyone may add one: finished boxes as rows of five, y first."""

from __future__ import annotations

from functools import partial

from paredown.families.candidates import PLAIN
from paredown.families.family import Match, match_of
from paredown.families.features import Features
from paredown.families.head import read_one_output, without_nms

NAME = "fives"
TASK = "detect"
SUMMARY = "rows of five: y1 x1 y2 x2 and a score"
HOW = {"columns": "y1 x1 y2 x2 score", **PLAIN}
candidates = partial(read_one_output, HOW)
decode = partial(without_nms, candidates)


def matches(features: Features) -> Match | None:
    """The match of one output (1, N, 5)."""
    (output,) = features.outputs
    if len(output.shape) != 3 or output.shape[2] != 5:
        return None
    return match_of(features.row_cards(NAME, 5, HOW, why="five columns"), 0.8, "five columns")
