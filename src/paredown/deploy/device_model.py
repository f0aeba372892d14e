"""The bundle's model on a device that has no Paredown, opened as it was measured.

The bundle's `detect.py` carries this file: standard library, numpy, OpenCV and the package of one runtime.
"""

from __future__ import annotations

import difflib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.deploy.sources import DeviceError
from paredown.detections import Detections, Prediction
from paredown.hosts.cpu import saturates
from paredown.preprocessing.others import fill
from paredown.preprocessing.tensor import preprocess
from paredown.protocols import Session

Decode = Callable[..., Prediction]
STEM = "model"  # of the files beside detect.py
BUILD = "build.txt"  # how the first of them is built, where that is left to the device


@dataclass(frozen=True)
class Opening:
    """How the files are opened, as they were when they were measured.

    opener: (files, threads) -> Session. names: of the files, the one to open first. package: what opens them,
    as pip calls it. threads: 0 takes all usable cores. saturated: whether sums of 8-bit products were cut off
    there, or nothing hangs on it. exact_products: whether the opener has other kernels, by that name, for
    where they are cut off. classes: names of those that it was judged on, which alone are told; none for all.
    """

    opener: Callable[..., Session]
    names: tuple[str, ...]
    package: str
    threads: int = 0
    saturated: bool = True
    exact_products: bool = False
    classes: tuple[str, ...] = ()

    def session(self, file: Path, threads: int) -> Session:
        """A session of the file and those that belong to it, which bear its name. Raises DeviceError."""
        first = self.names[0].removeprefix(STEM)
        if not file.name.endswith(first):
            raise DeviceError(f"{file} is no file for this script: its name must end in {first}")
        stem = file.name.removesuffix(first)
        files = [file.with_name(stem + name.removeprefix(STEM)) for name in self.names]
        for path in files:
            if not path.is_file():
                told = file.with_name(BUILD).is_file()
                raise DeviceError(f"no model file {path}{f': {BUILD} says how to build it' if told else ''}")
        try:
            if self.saturated or not saturates():
                return self.opener(files, threads)
            if self.exact_products:
                return self.opener(files, threads, exact_products=True)
            sys.stderr.write("this CPU cuts off sums of 8-bit products, the measured one did not: ")
            sys.stderr.write("answers may differ from those that were judged\n")
            return self.opener(files, threads)
        except ModuleNotFoundError as error:
            raise DeviceError(f"no package {error.name!r}: pip install {self.package}") from error


def numbers_of(names: Sequence[str], card: Card) -> list[int]:
    """The numbers of the classes of these names. Raises DeviceError where there is no such class."""
    if names and card.task != "detect":
        raise DeviceError(f"classes can be chosen of detections only, not of the task {card.task!r}")
    for name in (n for n in names if n not in card.classes):
        near = difflib.get_close_matches(name, card.classes, n=1)
        raise DeviceError(f"no class {name!r}{f': did you mean {near[0]!r}?' if near else ''}")
    return [card.classes.index(name) for name in names]


class DeviceModel:
    """The model with its card and its family's decoder: an image goes in, a prediction comes out."""

    def __init__(
        self,
        file: Path,
        card: Card,
        decode: Decode,
        opening: Opening,
        threads: int | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        """file: the one that is opened first. threads: None takes as many as were measured, 0 all cores.

        classes: names of those that are told; None: of those that it was judged on, () of all. Raises
        DeviceError for a class that the card does not have, and where the answer is not of detections.
        """
        self.told = numbers_of(opening.classes if classes is None else classes, card)
        self.session = opening.session(file, opening.threads if threads is None else threads)
        self.card, self.decode = card, decode

    def predict(self, image: NDArray[np.uint8], conf: float) -> tuple[Prediction, dict[str, float]]:
        """The prediction for an RGB image (H, W, 3), and the milliseconds of each part."""
        marks = [time.perf_counter()]
        tensor, frame = preprocess(image, self.card.preprocess)
        feeds = fill(tensor, self.card.preprocess, self.session.inputs)
        marks.append(time.perf_counter())
        answer = self.session.run(feeds)
        marks.append(time.perf_counter())
        card = self.card
        found = self.decode(answer, card, frame, conf=conf, iou=card.iou, max_detections=card.max_detections)
        if self.told and isinstance(found, Detections):
            found = found.take(np.flatnonzero(np.isin(found.classes, self.told)))
        marks.append(time.perf_counter())
        parts = ("preprocess", "inference", "decode")
        spent = {part: 1e3 * (b - a) for part, a, b in zip(parts, marks, marks[1:], strict=False)}
        return found, spent
