"""Models whose answer nobody reads: any outputs, held against the float model's own, value by value.

Taken where no other family fits, or where it is asked for; never where the answer of another family is
refused. What the outputs mean is not known, so no truth is used: `--decode` (docs/unknown_model.md) says it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.detections import RawAnswer
from paredown.families.anchored import undecided
from paredown.families.family import Match
from paredown.families.features import Features
from paredown.families.nearly import nearly
from paredown.families.outputs import spell
from paredown.preprocessing.letterbox import Frame

NAME = "raw"
TASK = "raw"
SUMMARY = "any model: its outputs as they are, compared with the float model's"
MOST_VALUES = 16_384  # of an output of one image that are kept; a larger one is looked at in fixed places


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> RawAnswer:
    """All outputs as they are."""
    answers = [np.asarray(a) for a in outputs.values()]
    return RawAnswer(tuple(_flat(a) for a in answers), tuple(a.shape for a in answers))


def decode(
    outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> RawAnswer:
    """All outputs as they are; the thresholds have no part in it."""
    return candidates(outputs, card, conf)


def sampled(answer: RawAnswer) -> RawAnswer:
    """The answer with at most MOST_VALUES values of each output, at the same places of every image."""
    return replace(answer, values=tuple(v[_places(v.size)] for v in answer.values))


def matches(features: Features) -> Match | None:
    """The match of any model with an image input."""
    why = f"outputs {spell(features.outputs)} of no known family, compared value by value as they are"
    if like := nearly(features.outputs, features.size) or undecided(features):
        why += f". They look {like}; or a decode file makes boxes of them (`paredown new-decode`)"
    cards = features.cards(NAME, TASK, len(features.outputs), [{"fit": "stretch"}], why=why)
    names = tuple(o.spec.name for o in features.outputs)
    origin = {"classes": "the model's outputs, by name"}
    if not (features.values_known or features.names):
        origin["preprocessing"] = (
            "NOTHING SAYS how this model is fed: RGB, 0..1 and the whole image stretched are the most usual; "
            "if it was trained otherwise, say so by --scale, --colour and --fit, for what is calibrated is "
            "wrong then"
        )
    cards = tuple(replace(c, classes=names, origin={**c.origin, **origin}) for c in cards)
    return Match(cards, 0.1, why)


def _flat(answer: NDArray[Any]) -> NDArray[np.generic]:
    return answer.ravel().astype(np.float32 if answer.dtype.kind == "f" else np.int64)


@lru_cache(maxsize=64)
def _places(size: int) -> NDArray[np.int64]:
    """Sorted places in a flat output of that size."""
    if size <= MOST_VALUES:
        return np.arange(size)
    return np.sort(np.random.default_rng(0).choice(size, MOST_VALUES, replace=False))
