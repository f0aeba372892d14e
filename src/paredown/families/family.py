"""The noun `Match` and the Protocol `Family`: what every module of the table `FAMILIES` has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from paredown.card import Card
from paredown.detections import ClassMap, ClassScores, Prediction, RawAnswer
from paredown.families.candidates import Candidates
from paredown.families.features import Features
from paredown.preprocessing.letterbox import Frame


@dataclass(frozen=True)
class Match:
    """Why a family fits a model, and the cards it could have: they differ in preprocessing, default first.

    certainty: 1.0 the metadata says so, 0.8 shapes and arithmetic fit, 0.5 another family fits as well.
    settled: the default preprocessing is the family's convention, or the file itself says it. It holds unless
    images with truth show another to be better. Where it is not settled, and without truth, it is asked for.
    """

    cards: tuple[Card, ...]
    certainty: float
    why: str
    settled: bool = True
    open_classes: bool = False  # the output does not tell the number of classes
    axes_open: bool = False  # whether boxes give x or y first depends on the exporter, and nothing says it
    others: tuple[Match, ...] = ()  # other ways of reading the same outputs, which their values may ask for


def match_of(
    readings: Iterable[tuple[Card, ...]],
    certainty: float,
    why: str,
    *,
    settled: bool = True,
    open_classes: bool = False,
    axes_open: bool = False,
) -> Match | None:
    """The match of a family that can read the outputs in those ways, the usual one first; None for none."""
    ways = [Match(cards, certainty, why, settled, open_classes, axes_open) for cards in readings if cards]
    return replace(ways[0], others=tuple(ways[1:])) if ways else None


class Family(Protocol):
    """What every module of the table `FAMILIES` has."""

    NAME: str
    TASK: str
    SUMMARY: str

    @staticmethod
    def matches(features: Features) -> Match | None: ...

    @staticmethod
    def candidates(
        outputs: Mapping[str, Any], card: Card, least: float
    ) -> Candidates | ClassScores | RawAnswer | ClassMap: ...

    @staticmethod
    def decode(
        outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
    ) -> Prediction: ...
