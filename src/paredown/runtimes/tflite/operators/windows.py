"""How a window moves over an image: what ONNX's pads mean for TFLite's SAME and VALID."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from paredown.graph.walk import attribute, shape_of
from paredown.runtimes.tflite.layout import Layout, arranged
from paredown.runtimes.tflite.lowering import Lowering, data, refused

LOWEST = -3.4028234663852886e38  # of float32


@dataclass(frozen=True)
class Window:
    """Sizes along the two axes between batch and channels, in the order of the layout."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    before: tuple[int, int]
    after: tuple[int, int]  # enough for every place of the window; may be less than 0

    @property
    def padded(self) -> bool:
        return any(self.before) or any(p > 0 for p in self.after)

    def is_same(self, sizes: tuple[int, ...], outputs: tuple[int, ...]) -> bool:
        """Whether TFLite's SAME pads just so; `sizes` and `outputs` along the two axes."""
        for i in range(2):
            reach = (self.kernel[i] - 1) * self.dilations[i] + 1
            total = max((outputs[i] - 1) * self.strides[i] + reach - sizes[i], 0)
            if outputs[i] != -(-sizes[i] // self.strides[i]) or self.before[i] != total // 2:
                return False
        return True

    @property
    def settings(self) -> dict[str, object]:
        return {"strideH": self.strides[0], "strideW": self.strides[1]}

    @property
    def dilation_settings(self) -> dict[str, object]:
        return {"dilationHFactor": self.dilations[0], "dilationWFactor": self.dilations[1]}


def window_of(node: ir.Node, kernel: tuple[int, ...], layout: Layout) -> Window:
    """The window of a Conv or pool, its axes in the order of the layout. Raises for other than two axes."""
    source, output = shape_of(data(node)), shape_of(node.outputs[0])
    if len(source) != 4:
        raise refused(node, f"an input of {len(source)} axes", "4: batch, channels, height, width")
    strides = tuple(attribute(node, "strides", (1, 1)))
    dilations = tuple(attribute(node, "dilations", (1, 1)))
    before = _before(node, kernel, strides, dilations)
    after = [
        (output[2 + i] - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - source[2 + i] - before[i]
        for i in (0, 1)
    ]
    turned = [axis - 2 for axis in layout[1:3]]
    pick = [tuple(int(v[i]) for i in turned) for v in (kernel, strides, dilations, before, after)]
    return Window(*((a, b) for a, b in pick))


def _before(
    node: ir.Node, kernel: tuple[int, ...], strides: tuple[int, ...], dilations: tuple[int, ...]
) -> tuple[int, int]:
    """The padding above and to the left."""
    auto = attribute(node, "auto_pad", "NOTSET")
    if auto in ("NOTSET", "VALID"):
        pads = attribute(node, "pads", (0, 0, 0, 0)) if auto == "NOTSET" else (0, 0, 0, 0)
        return int(pads[0]), int(pads[1])
    source, output = shape_of(data(node)), shape_of(node.outputs[0])
    totals = [
        max((output[2 + i] - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - source[2 + i], 0)
        for i in (0, 1)
    ]
    up = 0 if auto == "SAME_UPPER" else 1
    return (totals[0] + up) // 2, (totals[1] + up) // 2


def padded(
    tensor: int, window: Window, node: ir.Node, layout: Layout, low: Lowering, fill: str = "zero"
) -> tuple[int, str]:
    """The tensor to read, and SAME or VALID: padded by an operator of its own where SAME pads otherwise.

    fill: "zero", or "lowest" for a maximum.
    """
    shape = arranged(shape_of(data(node)), layout)
    outputs = arranged(shape_of(node.outputs[0]), layout)
    if not window.padded:
        return tensor, "VALID"
    if window.is_same(shape[1:3], outputs[1:3]):
        return tensor, "SAME"
    pads = [(0, 0), *((b, max(a, 0)) for b, a in zip(window.before, window.after, strict=True)), (0, 0)]
    made = low.like(tensor, [size + sum(pad) for size, pad in zip(shape, pads, strict=True)])
    return _pad(tensor, pads, made, fill, low), "VALID"


def _pad(tensor: int, pads: list[tuple[int, int]], made: int, fill: str, low: Lowering) -> int:
    amounts = low.pairs(pads)
    params = low.params(tensor)
    if fill == "zero" or (params is not None and params.zero_point == -128):
        return low.emit("PAD", [tensor, amounts], made, "PadOptions")
    lowest = low.number(LOWEST) if params is None else low.integer(-128, params)
    return low.emit("PADV2", [tensor, amounts, lowest], made, "PadV2Options")
