"""What a model file itself settles about its input: normalisation in the graph, and ONNX's image metadata.

Sources: ONNX, `docs/MetadataProps.md` (Image.BitmapPixelFormat, Image.NominalPixelRange). A mean that the
graph subtracts lies in the middle of the values it takes: near 117 for pixels 0..255, near 0.45 for 0..1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from paredown.card import Preprocess
from paredown.preprocessing.values import (
    IMAGENET_MEAN,
    NAMED,
    describe_values,
    in_order,
    with_colour,
    with_values,
)

_PASSING = frozenset(
    {"Cast", "Identity", "Transpose", "Unsqueeze", "Squeeze", "Reshape", "QuantizeLinear", "DequantizeLinear"}
)
_RANGES = {"nominalrange_0_255": "0..255", "normalized_0_1": "0..1", "normalized_1_1": "-1..1"}
_FORMATS = {"rgb8": "rgb", "rgba8": "rgb", "bgr8": "bgr", "bgra8": "bgr"}
_PIXEL_MIDDLE, _UNIT_MIDDLE = (60.0, 200.0), (0.2, 0.8)  # where the mean of images lies on either scale
_PIXEL_SLOPE, _UNIT_SLOPE = (1 / 300, 1 / 20), (200.0, 300.0)  # of a graph that only scales
_PIXEL_SPREAD, _UNIT_SPREAD = (25.0, 120.0), (0.1, 0.5)  # standard deviation of images
_MEAN_STEP = 0.012  # how near a mean must be to ImageNet's to tell the channel order, on the scale 0..1


@dataclass(frozen=True)
class Settled:
    """Values of the input by name, and its channel order; None where the file does not say.

    `swaps`: the graph turns the channels round before anything else, so the order is the family's reversed.
    """

    values: str | None = None
    colour: str | None = None
    swaps: bool = False
    why: str = ""

    def on(self, how: Preprocess) -> Preprocess:
        """The preprocessing with what is settled put in."""
        if self.values is not None and how.dtype.startswith("float"):
            how = with_values(how, NAMED[self.values])
        if self.colour is not None:
            return with_colour(how, self.colour)
        return with_colour(how, "bgr" if how.colour == "rgb" else "rgb") if self.swaps else how


def find_settled(graph: onnx.GraphProto, metadata: Mapping[str, str], how: Preprocess) -> Settled:
    """What metadata and graph settle; the graph goes first, for it is what runs."""
    from_metadata = _metadata(metadata)
    inside = _Start(graph, len(how.mean), how.layout == "nhwc").read()
    if inside is None:
        return from_metadata
    colour = inside.colour or from_metadata.colour
    return replace(inside, colour=colour, values=inside.values or from_metadata.values)


def whole_numbers(how: Preprocess) -> str:
    """Why the values of an integer input are settled; empty where the input is none."""
    if how.dtype.startswith("float"):
        return ""
    return f"the input is {how.dtype}: pixels go in as {describe_values(how)}"


def _metadata(metadata: Mapping[str, str]) -> Settled:
    values = _RANGES.get(metadata.get("Image.NominalPixelRange", "").lower())
    colour = _FORMATS.get(metadata.get("Image.BitmapPixelFormat", "").lower())
    if values is None and colour is None:
        return Settled()
    return Settled(values, colour, why="the file's own image metadata")


class _Start:
    """The nodes behind the graph's input, as long as they do no more than move and scale values."""

    def __init__(self, graph: onnx.GraphProto, channels: int, channels_last: bool) -> None:
        self.constants = {t.name: t for t in graph.initializer}
        self.consumers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
                self.constants[node.output[0]] = node.attribute[0].t
            for name in dict.fromkeys(node.input):
                self.consumers.setdefault(name, []).append(node)
        self.tensor = next((i.name for i in graph.input if i.name not in self.constants), "")
        self.channels, self.axis = channels, -1 if channels_last else 1
        self.slope, self.start = np.ones(channels), np.zeros(channels)  # of y = slope * x + start
        self.swaps = False
        self.seen: list[str] = []

    def read(self) -> Settled | None:
        """What these nodes settle; None where they compute nothing that tells."""
        while (node := self._next()) is not None:
            if node.op_type == "BatchNormalization":
                return self._of_training(node)
            if not (node.op_type in _PASSING or self._swap(node) or self._affine(node)):
                break
            self.tensor = node.output[0]
        return self._of_affine()

    def _next(self) -> onnx.NodeProto | None:
        behind = [n for n in self.consumers.get(self.tensor, []) if n.op_type != "Shape"]
        return behind[0] if len(behind) == 1 else None

    def _value(self, name: str) -> NDArray[np.float64] | None:
        """The constant as one value per channel; None where it is no such constant."""
        found = self.constants.get(name)
        if found is None or found.data_location == onnx.TensorProto.EXTERNAL:
            return None
        value = numpy_helper.to_array(found).astype(np.float64).ravel()
        return np.broadcast_to(value, self.channels) if value.size in (1, self.channels) else None

    def _affine(self, node: onnx.NodeProto) -> bool:
        if node.op_type not in ("Add", "Sub", "Mul", "Div") or len(node.input) != 2:
            return False
        first = node.input[0] == self.tensor
        value = self._value(node.input[1 if first else 0])
        if value is None or (not first and node.op_type in ("Sub", "Div")) or (value == 0).all():
            return False
        if node.op_type in ("Add", "Sub"):
            self.start = self.start + (value if node.op_type == "Add" else -value)
        else:
            if (value == 0).any():
                return False
            factor = value if node.op_type == "Mul" else 1 / value
            self.slope, self.start = self.slope * factor, self.start * factor
        self.seen.append(node.op_type)
        return True

    def _swap(self, node: onnx.NodeProto) -> bool:
        """Whether the node turns the channels round: Gather [2, 1, 0], or Slice by -1 over all of them."""
        if node.op_type == "Gather" and self.channels == 3:
            found = self.constants.get(node.input[1])
            order = [] if found is None else numpy_helper.to_array(found).ravel().tolist()
            if order != [2, 1, 0] and order != [-1, -2, -3]:
                return False
        elif node.op_type == "Slice" and len(node.input) == 5 and self.channels == 3:
            values = [self.constants.get(name) for name in node.input[1:]]
            if any(v is None for v in values):
                return False
            steps = numpy_helper.to_array(values[3]).ravel().tolist()  # type: ignore[arg-type]
            axes = numpy_helper.to_array(values[2]).ravel().tolist()  # type: ignore[arg-type]
            if steps != [-1] or axes not in ([self.axis], [1], [3], [-1], [-3]):
                return False
        else:
            return False
        self.swaps = not self.swaps
        self.slope, self.start = self.slope[::-1], self.start[::-1]
        return True

    def _of_affine(self) -> Settled | None:
        if not self.seen:
            return Settled(swaps=True, why="the graph swaps the channels") if self.swaps else None
        middle = -self.start / self.slope
        if np.allclose(self.start, 0):
            values = _which(float(abs(self.slope).mean()), _PIXEL_SLOPE, _UNIT_SLOPE)
        else:
            values = _which(float(middle.mean()), _PIXEL_MIDDLE, _UNIT_MIDDLE)
        if values is None:
            return None
        colour = self._order(middle if values == "0..1" else middle / 255)
        steps = " and ".join(dict.fromkeys(self.seen))
        why = f"the graph normalises by itself ({steps}), so it takes {values}"
        return Settled(values, colour, self.swaps, why)

    def _of_training(self, node: onnx.NodeProto) -> Settled | None:
        """What a batch normalisation of the input says: its running mean is that of the training images."""
        mean, variance = (self._value(name) for name in node.input[3:5])
        if mean is None or variance is None:
            return self._of_affine()
        middle, spread = (mean - self.start) / self.slope, np.sqrt(variance) / abs(self.slope)
        values = _which(float(middle.mean()), _PIXEL_MIDDLE, _UNIT_MIDDLE)
        if values is None or values != _which(float(spread.mean()), _PIXEL_SPREAD, _UNIT_SPREAD):
            return None
        why = (
            f"the graph normalises by itself (images had the mean {middle.mean():.3g}), so it takes {values}"
        )
        return Settled(values, None, self.swaps, why)

    def _order(self, middle: NDArray[np.float64]) -> str | None:
        """The channel order where the mean is ImageNet's."""
        if self.channels != 3:
            return None
        middle = middle[::-1] if self.swaps else middle  # in the order of the input
        near = {c: float(abs(middle - in_order(IMAGENET_MEAN, c)).max()) for c in ("rgb", "bgr")}
        best = min(near, key=lambda c: near[c])
        return best if near[best] <= _MEAN_STEP else None


def _which(value: float, pixel: tuple[float, float], unit: tuple[float, float]) -> str | None:
    return "0..255" if pixel[0] <= value <= pixel[1] else "0..1" if unit[0] <= value <= unit[1] else None
