"""What a model answers to a few images, however it is fed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from paredown.card import Card, Preprocess
from paredown.families.expect import AnswerFigures, look
from paredown.preprocessing.feeds import feed
from paredown.preprocessing.letterbox import Frame
from paredown.protocols import Feeds, Session
from paredown.sample import Dataset, Sample

LOOKED_AT = 6  # images that every reading is looked at on


@dataclass
class Answers:
    """What the model answers to a few images, asked once for each preprocessing. mirrored: left and right
    of every image exchanged."""

    session: Session
    samples: Sequence[Sample]
    mirrored: bool = False

    def __post_init__(self) -> None:
        self._kept: dict[Preprocess, list[tuple[Feeds, Mapping[str, Any], Frame]]] = {}

    @cached_property
    def _images(self) -> list[Any]:
        images = [s.read() for s in self.samples]
        return [np.ascontiguousarray(i[:, ::-1]) for i in images] if self.mirrored else images

    def fed(self, how: Preprocess) -> list[tuple[Feeds, Mapping[str, Any], Frame]]:
        """(feeds, outputs, frame) of each image."""
        if how not in self._kept:
            fed = [feed(image, how, self.session.inputs) for image in self._images]
            self._kept[how] = [(feeds, self.session.run(feeds), frame) for feeds, frame in fed]
        return self._kept[how]

    def seen(self, card: Card) -> list[AnswerFigures]:
        """The figures of each image, read by the card."""
        return [look(feeds, outputs, card, frame) for feeds, outputs, frame in self.fed(card.preprocess)]


def several(dataset: Dataset, n: int = LOOKED_AT) -> list[Sample]:
    """At most n samples, evenly from the whole data set."""
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(n, len(dataset))).round().astype(int))
    return [dataset[int(i)] for i in chosen]
