"""What one shelf asks of another. The wiring is in `api.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from paredown.model import TensorSpec

T = TypeVar("T")
Array = NDArray[np.generic]


class Session(Protocol):
    """A compiled model that answers. Feeds and answers are keyed by tensor name."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]: ...


class Progress(Protocol):
    """Wraps an iterable so that a person sees what is being done and the time left."""

    def __call__(self, items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]: ...


def silent(items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
    """The Progress that shows nothing."""
    return items


ImageTensors = Callable[[], Iterable[NDArray[np.generic]]]
"""Restartable source of preprocessed inputs, each (1, C, H, W) or (1, H, W, C), always in the same order."""
