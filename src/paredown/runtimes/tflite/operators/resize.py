"""Resize: which of TFLite's two resizes answers as ONNX's does, found by comparing where they read."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.graph.walk import attribute, shape_of
from paredown.runtimes.tflite.layout import arranged, channels_last
from paredown.runtimes.tflite.lowering import Lowering, data, refused

Places = NDArray[np.float64]
OPTIONS = ((False, False), (False, True), (True, False))
"""align_corners, half_pixel_centers."""


def resize(node: ir.Node, low: Lowering) -> None:
    """RESIZE_NEAREST_NEIGHBOR or RESIZE_BILINEAR; GATHER by row and column where no nearest one fits."""
    source, output = data(node), node.outputs[0]
    sizes, outputs = shape_of(source), shape_of(output)
    mode = attribute(node, "mode", "nearest")
    if len(sizes) != 4 or sizes[:2] != outputs[:2] or mode not in ("nearest", "linear"):
        raise refused(node, f"{mode} from {sizes} to {outputs}", "nearest or linear along height and width")
    layout = channels_last(4)
    # In integers what lies between two would be rounded to the grid of the input, and then to the output's.
    tensor = low.take(source, layout, real=mode == "linear")
    params = low.params(tensor)
    axes = [(sizes[i], outputs[i], _scale(node, i, low)) for i in (2, 3)]
    wanted = [_read(node, *axis) for axis in axes]
    for align, half in OPTIONS:
        if all(_same(mode, w, s, o, align, half) for w, (s, o, _) in zip(wanted, axes, strict=True)):
            name = "ResizeNearestNeighbor" if mode == "nearest" else "ResizeBilinear"
            code = "RESIZE_NEAREST_NEIGHBOR" if mode == "nearest" else "RESIZE_BILINEAR"
            settings = {"alignCorners": align, "halfPixelCenters": half}
            inputs = [tensor, low.numbers(*outputs[2:])]
            low.emit(code, inputs, low.result(output, layout, params), f"{name}Options", **settings)
            return
    if mode == "linear":
        raise refused(node, "pixel centres that TFLite sets otherwise", "half_pixel or align_corners")
    middle = low.like(tensor, arranged((*sizes[:2], outputs[2], sizes[3]), layout))
    rows, columns = (low.numbers(*(int(p) for p in w)) for w in wanted)
    low.emit("GATHER", [tensor, rows], middle, "GatherOptions", axis=1)
    low.emit("GATHER", [middle, columns], low.result(output, layout, params), "GatherOptions", axis=2)


def _scale(node: ir.Node, axis: int, low: Lowering) -> float:
    """Output over input, as the node says it: it need not be the quotient of the sizes."""
    given = low.constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if given is not None and given.size:
        scales = given.reshape(-1)
        return float(scales[axis] if scales.size == 4 else scales[axis - 2])
    return shape_of(node.outputs[0])[axis] / shape_of(data(node))[axis]


def _read(node: ir.Node, size: int, count: int, scale: float) -> Places:
    """Where ONNX reads along one axis: whole numbers for nearest."""
    places = np.arange(count, dtype=np.float64)
    way = attribute(node, "coordinate_transformation_mode", "half_pixel")
    if way == "align_corners":
        where = places * (size - 1) / (count - 1) if count > 1 else places * 0
    elif way == "asymmetric":
        where = places / scale
    elif way == "half_pixel" or (way == "pytorch_half_pixel" and count > 1):
        where = (places + 0.5) / scale - 0.5
    elif way == "pytorch_half_pixel":
        where = places * 0
    else:
        raise refused(node, way, "half_pixel, pytorch_half_pixel, align_corners or asymmetric")
    if attribute(node, "mode", "nearest") == "linear":
        return np.clip(where, 0, size - 1)
    return np.clip(_rounded(where, attribute(node, "nearest_mode", "round_prefer_floor")), 0, size - 1)


def _rounded(where: Places, how: str) -> Places:
    near = where.astype(np.float32).astype(np.float64)
    ways = {
        "floor": np.floor(near),
        "ceil": np.ceil(near),
        "round_prefer_ceil": np.floor(near + 0.5),
        "round_prefer_floor": np.ceil(near - 0.5),
    }
    return ways[how]


def _same(mode: str, wanted: Places, size: int, count: int, align: bool, half: bool) -> bool:
    """Whether TFLite reads there too."""
    places = np.arange(count, dtype=np.float64)
    scale = (size - 1) / (count - 1) if align and count > 1 else size / count
    if mode == "linear":
        read = np.clip((places + 0.5) * scale - 0.5 if half else places * scale, 0, size - 1)
        return bool(np.allclose(read, wanted, atol=1e-4))
    where = ((places + 0.5) if half else places) * np.float32(scale)
    read = np.floor(where + 0.5) if align else np.floor(where)
    return bool(np.array_equal(np.minimum(read, size - 1), wanted))
