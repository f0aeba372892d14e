"""What is left of a model's answer after compressing, looked at on a few images and without any truth.

`compress` judges nothing; this is there so that a model that lost everything is not handed over in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown import data
from paredown._measure.judge import ImageJudge
from paredown.card import Card
from paredown.errors import CardError
from paredown.model import Model
from paredown.preprocessing.feeds import feed
from paredown.protocols import Session
from paredown.sample import Dataset
from paredown.targets import Target

IMAGES = 8
MUCH = 50.0  # points of agreement with the float model: below, a figure is no matter of taste
MOST = 1024  # entries of an axis that may be kinds of values; a longer one is places
HEARD = (
    1e-4  # of the widest range along an axis: what moves less tells nothing, like a class that is not there
)
SILENT = 0.25  # of the entries that told something: so many may be constant now


def lost_answer(
    source: Model, made: Model, images: Dataset, card: Card, target: Target, threads: int = 0
) -> str:
    """What to tell where most of the answer is gone; "" where it is not, or prompts would be needed to ask.

    source: the float model, as prepared as `made`.
    """
    if card.task == "promptable":
        return ""
    few = data.sample(images, IMAGES)
    few = replace(few, samples=tuple(replace(s, truth=None) for s in few.samples))
    advice = "it may be of no use: `paredown run` judges it, and tries other recipes"
    if card.task == "raw":  # value by value tells little: a list by certainty changes its order for nothing
        sessions = [target.compile(m.data, threads=threads) for m in (source, made)]
        answers = [[_answer(s, sample.read(), card) for sample in few] for s in sessions]
        silent = silenced(*answers)
        return f"on {len(few)} images {'; '.join(silent)}: {advice}" if silent else ""
    try:
        lost = ImageJudge(source, few, card, target, "", threads)(made)
    except CardError as e:  # a decode file that fails on what is left, say: the model is made all the same
        return f"its answer cannot be read ({e.what}: {e.got}): {advice}"
    if lost.points <= MUCH:
        return ""
    return f"on {len(few)} images it agrees with the float model to {100 - lost.points:.0f} %: {advice}"


def silenced(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[str]:
    """Outputs in which many entries of an axis changed with image and place and now do not, in words."""
    found = []
    for name in before[0]:
        old, new = (np.stack([np.asarray(a[name]) for a in answers]) for answers in (before, after))
        if old.dtype.kind != "f":
            continue
        for axis in range(2, old.ndim):  # behind the images and the batch
            if 1 < old.shape[axis] <= MOST:
                ranges = _ranges(old, axis)
                told = ranges > HEARD * ranges.max()
                gone = told & (_ranges(new, axis) == 0)
                if gone.sum() > SILENT * told.sum():
                    found.append(f"{gone.sum()} of {told.sum()} parts of {name!r} no longer change")
                    break
    return found


def _ranges(values: NDArray[Any], axis: int) -> NDArray[np.floating]:
    """Of every entry of the axis, how far its values lie apart."""
    others = tuple(a for a in range(values.ndim) if a != axis)
    return np.asarray(values.max(axis=others) - values.min(axis=others))


def _answer(session: Session, image: NDArray[np.uint8], card: Card) -> Mapping[str, Any]:
    return session.run(feed(image, card.preprocess, session.inputs)[0])
