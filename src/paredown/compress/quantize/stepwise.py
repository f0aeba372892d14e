"""A graph run from the front as far as asked, over several images, so that what lies ahead can be changed.

The nodes run in pieces, each once for every image. Only the tensors that later nodes read are held between
two pieces; a weight, a bias or a scale counts as it is in the graph when its piece runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from paredown.graph.run import open_session
from paredown.graph.walk import constant

State = dict[str, NDArray[Any]]
"""The tensors of one image that later nodes still read, by name."""


class Stepwise:
    """model: may get other constants on the way, not other nodes. states: one for each image."""

    def __init__(self, model: ir.Model, images: Iterable[NDArray[np.generic]], threads: int = 0) -> None:
        self.graph, self.threads, self.at = model.graph, threads, 0
        self.states: list[State] = [{str(model.graph.inputs[0].name): image} for image in images]
        proto = onnx.shape_inference.infer_shapes(ir.to_proto(model))
        self._proto, self._nodes = proto, list(proto.graph.node)
        self._types = {v.name: v for v in (*proto.graph.input, *proto.graph.value_info, *proto.graph.output)}
        self._made_at = {t: i for i, node in enumerate(self._nodes) for t in node.output}
        self._read_last = {t: i for i, node in enumerate(self._nodes) for t in node.input}

    def to(self, tensor: str) -> list[NDArray[Any]]:
        """The tensor of every image, run as far as it needs where it was not reached before."""
        stop = self._made_at.get(tensor, -1) + 1
        if stop > self.at:
            self._run(self._nodes[self.at : stop], stop, tensor)
        return [state[tensor] for state in self.states]

    def _run(self, nodes: list[onnx.NodeProto], stop: int, wanted: str) -> None:
        made = {t for node in nodes for t in node.output if t}
        read = {t for node in nodes for t in node.input if t} - made
        constants = [t for t in sorted(read) if t in self.graph.initializers]
        inputs = sorted(read - set(constants))
        outputs = sorted(t for t in made if t == wanted or self._read_last.get(t, -1) >= stop)
        stored = [numpy_helper.from_array(_plain(self.graph.initializers[t]), t) for t in constants]
        piece = helper.make_graph(
            nodes, "piece", [self._types[t] for t in inputs], [self._types[t] for t in outputs], stored
        )
        imports, version = self._proto.opset_import, self._proto.ir_version
        made_model = helper.make_model(piece, opset_imports=imports, ir_version=version)
        session = open_session(made_model.SerializeToString(), self.threads)
        for state in self.states:
            answers = session.run(outputs, {name: state[name] for name in inputs})
            state |= dict(zip(outputs, answers, strict=True))
            for name in [t for t in state if t != wanted and self._read_last.get(t, -1) < stop]:
                del state[name]
        self.at = stop


def _plain(value: ir.Value) -> NDArray[Any]:
    array = constant(value)
    assert array is not None
    return np.asarray(array)
