"""How channels behave together: their means and second moments, measured in one pass over the images.

Shapes: C channels of a tensor, P places of one image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from paredown.errors import CalibrationError
from paredown.graph.load import to_proto
from paredown.graph.run import open_session
from paredown.model import Model
from paredown.protocols import Feeds, Progress, most, silent

IMAGES = 64  # of the calibration images
WIDEST = 2048  # channels of a tensor whose products are taken

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """mean: (C,) E[x]. product: (C, C) E[x x^T]; None for a tensor wider than `WIDEST`."""

    mean: Floats
    product: Floats | None


@dataclass(frozen=True)
class Place:
    """A tensor's shape and the axis of its channels."""

    shape: tuple[int, ...]
    axis: int


def moments(
    model: Model,
    places: Mapping[str, Place],
    images: Iterable[Feeds],
    *,
    threads: int = 0,
    progress: Progress = silent,
) -> dict[str, Moments]:
    """Tensor -> the moments of its channels over all places of `IMAGES` images.

    Raises: CalibrationError without images.
    """
    if not places:
        return {}
    session = open_session(_instrument(model, places), threads, frugal=True)
    names = [o.name for o in session.get_outputs()]
    sums: dict[str, Floats] = {}
    count = 0
    for image in progress(islice(images, IMAGES), "taking channel moments", most(images, IMAGES)):
        for name, answer in zip(names, session.run(names, image), strict=True):
            sums[name] = sums.get(name, np.zeros(answer.shape)) + answer
        count += 1
    if not count:
        raise CalibrationError("there is no calibration image", expected="at least one, 100 are good")
    found = {}
    for name in places:
        product = sums.get(f"{name}/product")
        found[name] = Moments(
            sums[f"{name}/mean"].ravel() / count, None if product is None else product / count
        )
    return found


def _instrument(model: Model, places: Mapping[str, Place]) -> bytes:
    """The model whose only outputs are x 1 / P and x x^T / P of every tensor, x its (C, P) matrix."""
    proto: onnx.ModelProto = to_proto(model)
    graph = proto.graph
    del graph.output[:]

    def add(op: str, inputs: list[str], output: str, **attributes: object) -> str:
        graph.node.append(helper.make_node(op, inputs, [output], **attributes))  # type: ignore[arg-type]
        return output

    for name, place in places.items():
        channels, size = place.shape[place.axis], int(np.prod(place.shape))
        count = size // channels
        wide, ones = np.array([channels, -1], np.int64), np.ones((count, 1), np.float32)
        graph.initializer.append(numpy_helper.from_array(wide, f"{name}/wide"))
        graph.initializer.append(numpy_helper.from_array(ones, f"{name}/ones"))
        order = [place.axis, *(a for a in range(len(place.shape)) if a != place.axis)]
        first = add("Transpose", [name], f"{name}/first", perm=order)
        x = add("Reshape", [first, f"{name}/wide"], f"{name}/x")
        made = [add("Gemm", [x, f"{name}/ones"], f"{name}/mean", alpha=1 / count)]
        if channels <= WIDEST:
            made.append(add("Gemm", [x, x], f"{name}/product", alpha=1 / count, transB=1))
        graph.output.extend(helper.make_tensor_value_info(m, TensorProto.FLOAT, None) for m in made)
    return bytes(proto.SerializeToString())
