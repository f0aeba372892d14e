"""The noun `Metric`: one line of the table `METRICS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from paredown.quantities import Better, Place, QuantityKind, Unit


@dataclass(frozen=True)
class Metric:
    """A number made of a model's answers to all images.

    `compute` takes a tally (`metrics.tally`) of R weightings of the images and gives (R,) values: the value
    is that of the weighting that counts each image once, its interval that of bootstrap resamples.
    `against`: what the answers are held against, the truth or the float model's answers. `headline`: whether
    a model of this task is judged by it. `look`: where values are not shown as their unit is.
    """

    name: str
    title: str  # "mAP50-95"
    compute: Callable[[Any], NDArray[np.float64]]
    better: Better
    summary: str
    task: str
    against: Literal["truth", "reference"]
    unit: str = ""
    limits: tuple[float, float] = (0.0, 1.0)  # no value lies outside
    headline: bool = False
    look: Unit | None = None

    @property
    def kind(self) -> QuantityKind:
        """The metric as the quantity that it gives."""
        places: tuple[Place, ...] = ("bundle",) if self.headline else ()
        return QuantityKind(self.name, self.title, self.unit, self.better, places=places, look=self.look)
