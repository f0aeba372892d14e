"""Taps: what a network makes on the way, drawn at fixed positions: no whole tensor leaves the runtime.

A tap is a Gather behind a tensor; its buffer is freed as soon as nothing else reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from paredown.graph.cut import nodes_before
from paredown.graph.load import to_proto
from paredown.graph.run import open_session
from paredown.model import Model
from paredown.protocols import Feeds


@dataclass(frozen=True)
class Tap:
    """tensor: by name. where: positions in the flat tensor, in any shape: the values drawn have it too."""

    tensor: str
    where: NDArray[np.int64]


def add_taps(graph: onnx.GraphProto, taps: Sequence[Tap]) -> list[str]:
    """The names of the outputs that the taps are, (positions,) each, added to the graph's."""
    graph.initializer.append(numpy_helper.from_array(np.array([-1], np.int64), "/flat"))
    made = []
    for index, tap in enumerate(taps):
        flat, where, drawn = (f"/tap{index}/{part}" for part in ("flat", "where", "drawn"))
        positions = np.asarray(tap.where, np.int64).reshape(-1)
        graph.initializer.append(numpy_helper.from_array(positions, where))
        graph.node.append(helper.make_node("Reshape", [tap.tensor, "/flat"], [flat]))
        graph.node.append(helper.make_node("Gather", [flat, where], [drawn]))
        graph.output.append(helper.make_tensor_value_info(drawn, TensorProto.FLOAT, None))
        made.append(drawn)
    return made


class Tapped:
    """A float network that answers with nothing but its taps.

    kept: for every tap what each image left there, of the shape of its `where`, image by image.
    """

    def __init__(self, model: Model, taps: Sequence[Tap], threads: int = 0) -> None:
        proto: onnx.ModelProto = to_proto(model)
        nodes = nodes_before(proto.graph, [tap.tensor for tap in taps])
        del proto.graph.node[:], proto.graph.output[:]
        proto.graph.node.extend(nodes)
        self.names = add_taps(proto.graph, taps)
        self.shapes = [tap.where.shape for tap in taps]
        self.session = open_session(proto.SerializeToString(), threads, frugal=True, arena=False)
        self.kept: list[list[NDArray[np.float32]]] = [[] for _ in taps]

    def passing(self, images: Iterable[Feeds]) -> Iterator[Feeds]:
        """The images, each handed on once the network has run on it: who reads them needs no second pass."""
        for image in images:
            drawn = self.session.run(self.names, image) if self.names else []
            for values, shape, kept in zip(drawn, self.shapes, self.kept, strict=True):
                kept.append(np.asarray(values).reshape(shape))
            yield image
