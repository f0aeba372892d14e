"""A second input that only says how large the image is becomes a constant: the size of the model's own input.

RT-DETR, D-FINE and DEIM as their authors export them take `orig_target_sizes` (N, 2), width and height,
int64, and scale their boxes by it (the post-processor's `deploy` in lyuwenyu/RT-DETR and Peterande/D-FINE).
With the input's own size boxes come in input pixels, as every other model's do, and one input is left.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from paredown.graph.image_input import image_axes
from paredown.graph.notes import add_note

_INTEGERS = {TensorProto.INT64: np.int64, TensorProto.INT32: np.int32}


def settle_size_input(proto: onnx.ModelProto) -> str:
    """Turns the size input of `proto` into an initializer; returns what was done, "" where there is none."""
    stored = {t.name for t in proto.graph.initializer}
    inputs = [v for v in proto.graph.input if v.name not in stored]
    if len(inputs) != 2:
        return ""
    image = next((v for v in inputs if len(_shape(v)) == 4), None)
    other = next((v for v in inputs if v is not image), None)
    if image is None or other is None or other.type.tensor_type.elem_type not in _INTEGERS:
        return ""
    shape, size = _shape(other), _image_size(_shape(image))
    if len(shape) != 2 or shape[1] != 2 or shape[0] not in (None, 1) or size is None:
        return ""
    height, width = size
    kind = _INTEGERS[other.type.tensor_type.elem_type]
    proto.graph.initializer.append(numpy_helper.from_array(np.array([[width, height]], kind), other.name))
    kept = [v for v in proto.graph.input if v.name != other.name]
    del proto.graph.input[:]
    proto.graph.input.extend(kept)
    done = (
        f"the input of image sizes {other.name!r} is held at {width} x {height}, the size of the image input"
    )
    add_note(proto, done)
    return done


def _shape(value: onnx.ValueInfoProto) -> list[int | None]:
    dims = value.type.tensor_type.shape.dim
    return [d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in dims]


def _image_size(shape: list[int | None]) -> tuple[int, int] | None:
    """Height and width of an image input; None where they are left open, or it is none."""
    axes = image_axes(shape)
    height, width = (None, None) if axes is None else (shape[axes[0]], shape[axes[1]])
    return None if height is None or width is None else (height, width)
