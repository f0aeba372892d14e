"""What a promptable model says to each prompt for an image; the image is encoded once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paredown.card import Card
from paredown.detections import Detections, Prediction
from paredown.families.recognition import predict
from paredown.graph.split import split
from paredown.model import Model
from paredown.preprocessing.letterbox import Frame
from paredown.preprocessing.others import image_name
from paredown.preprocessing.prompts import asked_by, takes_prompts, with_prompt
from paredown.protocols import Array, Feeds, Session
from paredown.sample import Sample, Truth
from paredown.tasks.prompting import prompts_of

Open = Callable[[bytes], Session]
"""Model -> a session of it."""


class EncodedOnce:
    """A session of a promptable model that keeps what depends on the image alone, for the next prompt.

    The image counts as the same where it is the very same array.
    """

    def __init__(self, model: Model, card: Card, opened: Open) -> None:
        self.inputs, self.outputs = model.inputs, model.outputs
        self._image = image_name(card.preprocess, model.inputs)
        encoder, decoder = split(model, self._image)
        self._encoder, self._decoder = opened(encoder.data), opened(decoder.data)
        self._reads = {spec.name for spec in decoder.inputs}
        self._seen: Array | None = None
        self._kept: dict[str, Array] = {}

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """The outputs by name."""
        image = feeds[self._image]
        if image is not self._seen:
            self._kept = self._encoder.run({self._image: image})
            self._seen = image
        asked = {name: value for name, value in feeds.items() if name in self._reads}
        return self._decoder.run({**asked, **self._kept})


def opened(model: Model, card: Card, plain: Open) -> Session:
    """A session by `plain`; of a promptable model one that encodes an image once for all its prompts."""
    return EncodedOnce(model, card, plain) if takes_prompts(card) else plain(model.data)


def predict_prompts(
    session: Session, card: Card, feeds: Feeds, frame: Frame, truth: Truth, conf: float
) -> Detections:
    """A row for each of the prompts that the rule draws from the truth, in its order."""
    rows: list[Prediction] = []
    prompts = prompts_of(truth, frame.image_size)
    for prompt in prompts:
        answer = session.run(with_prompt(feeds, prompt, card, frame))
        rows.append(predict(answer, asked_by(card, prompt), frame, conf))
    found = [row for row in rows if isinstance(row, Detections)]
    kinds = np.array([p.kind for p in prompts], np.int64)
    if not found:
        return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), kinds, ())
    return Detections(
        np.concatenate([r.boxes for r in found]),
        np.concatenate([r.scores for r in found]),
        kinds,
        tuple(mask for r in found for mask in r.masks or ()),
    )


def fed_for(feeds: Feeds, card: Card, frame: Frame, sample: Sample, number: int) -> Feeds:
    """The feeds that one image calibrates with: its prompts take turns from image to image.

    number: of the image. An image without an object is asked about points of a grid.
    """
    if not takes_prompts(card):
        return feeds
    prompts = prompts_of(sample.truth, frame.image_size) or prompts_of(None, frame.image_size)
    return with_prompt(feeds, prompts[number % len(prompts)], card, frame)
