"""What channels answer on average, measured in one pass over the images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from paredown.errors import CalibrationError
from paredown.graph.load import to_proto
from paredown.graph.run import open_session
from paredown.model import Model
from paredown.protocols import Progress, silent

Floats = NDArray[np.float64]
AXES_AS_INPUT = 18  # the opset from which ReduceMean reads its axes from an input


def channel_means(
    model: Model,
    ranks: Mapping[str, int],
    images: Iterable[NDArray[np.generic]],
    *,
    threads: int = 0,
    progress: Progress = silent,
) -> dict[str, Floats]:
    """Tensor -> (C,) mean of each channel (axis 1) over all places and images. ranks: tensor -> its rank.

    Raises: CalibrationError without images.
    """
    session = open_session(_instrument(model, ranks), threads, frugal=True)
    names = [f"{name}/mean" for name in ranks]
    sums: list[Floats] = []
    count = 0
    for image in progress(images, "taking channel means"):
        answers = session.run(names, {model.inputs[0].name: image})
        new = [np.asarray(a, np.float64) for a in answers]
        sums = [a + b for a, b in zip(sums, new, strict=True)] if sums else new
        count += 1
    if not count:
        raise CalibrationError("there is no calibration image", expected="at least one, 100 are good")
    return {name: total / count for name, total in zip(ranks, sums, strict=True)}


def _instrument(model: Model, ranks: Mapping[str, int]) -> bytes:
    proto: onnx.ModelProto = to_proto(model)
    graph = proto.graph
    opset = max(o.version for o in proto.opset_import if o.domain in ("", "ai.onnx"))
    del graph.output[:]
    for name, rank in ranks.items():
        axes, made = [a for a in range(rank) if a != 1], [f"{name}/mean"]
        if opset >= AXES_AS_INPUT:
            graph.initializer.append(numpy_helper.from_array(np.array(axes, np.int64), f"{name}/axes"))
            node = helper.make_node("ReduceMean", [name, f"{name}/axes"], made, keepdims=0)
        else:
            node = helper.make_node("ReduceMean", [name], made, keepdims=0, axes=axes)
        graph.node.append(node)
        graph.output.append(helper.make_tensor_value_info(f"{name}/mean", TensorProto.FLOAT, None))
    return bytes(proto.SerializeToString())
