"""What Paredown must know about a model to feed it and to read its answer. Plain values, no imports:
the bundle's stand-alone `detect.py` carries this file as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Fit = Literal["letterbox", "letterbox-corner", "stretch", "crop"]
Colour = Literal["rgb", "bgr", "grey"]


@dataclass(frozen=True)
class Preprocess:
    """How an image becomes the input tensor: x = (pixel * scale - mean) / std, channels in `colour` order.

    `fit` says how the image meets `size`: "letterbox" keeps the ratio and centres it, "letterbox-corner"
    keeps the ratio in the top-left corner, "stretch" ignores the ratio, "crop" scales the short side and cuts
    the centre. `mean`, `std`: one value per channel of the tensor, in the tensor's own channel order.
    `others`: what the inputs beside the image are fed, by name: one number for all values, as many as there
    are, or "image": the image again.
    """

    size: tuple[int, int]  # height, width in pixels
    fit: Fit = "letterbox"
    pad: float = 114.0  # value of the border, in pixels 0..255
    colour: Colour = "rgb"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    layout: Literal["nchw", "nhwc"] = "nchw"
    dtype: str = "float32"  # numpy name of the input tensor's type
    image: str = ""  # the input that takes the image, where there are several
    others: tuple[tuple[str, str | tuple[float, ...]], ...] = ()


@dataclass(frozen=True)
class Card:
    """Family, task, preprocessing, classes and thresholds of one model.

    `conf`, `iou`, `max_detections` are the thresholds of deployment; accuracy is measured at conf 0.001.
    `decode` holds what only the family understands (strides, reg_max, ...), as plain values.
    `origin` says where each part was learned: {"family": "output (1, 84, 8400)", "classes": "metadata"}.
    """

    family: str
    task: str  # a row of `TASKS`
    preprocess: Preprocess
    classes: tuple[str, ...]
    conf: float = 0.25
    iou: float = 0.7
    max_detections: int = 300
    decode: Mapping[str, object] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)

    def at(self, size: tuple[int, int]) -> Card:
        """The card of the same model at another input size: height, width in pixels."""
        return replace(self, preprocess=replace(self.preprocess, size=size))
