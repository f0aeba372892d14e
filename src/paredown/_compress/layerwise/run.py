"""A graph run from the front as far as asked, over several images, so that what lies ahead can be changed.

The nodes run in pieces, each once for every image. Only the tensors that later nodes read are held between
two pieces, integers rather than what is dequantized of them; a weight, a bias or a scale counts as it is in
the graph when its piece runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx import numpy_helper

from paredown.graph.cut import nodes_before, part_of
from paredown.graph.run import open_session
from paredown.graph.subgraphs import reads
from paredown.graph.walk import constant
from paredown.protocols import Feeds

AGAIN = "DequantizeLinear"  # run again in every piece that reads what it makes

State = dict[str, NDArray[Any]]
"""The tensors of one image that later nodes still read, by name."""


class LayerwiseRun:
    """model: may get other constants on the way, not other nodes. tensors: what will be asked for, as often
    as it will be. images: read one at a time, when the first piece runs. states: one for each image then.
    """

    def __init__(
        self,
        model: ir.Model,
        tensors: Iterable[str],
        images: Iterable[Feeds],
        threads: int = 0,
    ) -> None:
        self.graph, self.threads, self.at = model.graph, threads, 0
        self.states: list[State] = []
        self._unread = (dict(image) for image in images)
        self._waiting = Counter(list(tensors))
        proto = onnx.shape_inference.infer_shapes(ir.to_proto(model))
        self._proto, self._nodes = proto, nodes_before(proto.graph, self._waiting)
        self._types = {v.name: v for v in (*proto.graph.input, *proto.graph.value_info, *proto.graph.output)}
        self._made_at = {t: i for i, node in enumerate(self._nodes) for t in node.output}
        self._again = {t: node for node in self._nodes if node.op_type == AGAIN for t in node.output}
        self._read_last: dict[str, int] = {}
        for i, node in reversed(list(enumerate(self._nodes))):
            for t in reads(node):
                until = self._read_last.get(node.output[0], i) if node.op_type == AGAIN else i
                self._read_last[t] = max(until, self._read_last.get(t, i))

    def reach(self, tensor: str) -> None:
        """Runs as far as the tensor, which will be asked for, where it was not reached before."""
        stop = self._made_at.get(tensor, -1) + 1
        if stop > self.at:
            self._run(self._nodes[self.at : stop], stop, tensor)
        self.states += self._unread

    def to(self, tensor: str) -> list[NDArray[Any]]:
        """The tensor of every image, run as far as it needs where it was not reached before."""
        self.reach(tensor)
        self._waiting[tensor] -= 1
        return [state[tensor] for state in self.states]

    def _run(self, nodes: list[onnx.NodeProto], stop: int, wanted: str) -> None:
        made = {t for node in nodes for t in node.output if t}
        behind = {t for node in nodes for t in reads(node)} - made
        nodes = [node for t, node in self._again.items() if t in behind] + nodes
        made |= behind & self._again.keys()
        read = {t for node in nodes for t in reads(node)} - made
        constants = [t for t in sorted(read) if t in self.graph.initializers]
        inputs = sorted(read - set(constants))
        outputs = sorted(t for t in made if t == wanted or self._lasts(t, stop))
        stored = [numpy_helper.from_array(_plain(self.graph.initializers[t]), t) for t in constants]
        proto = part_of(
            self._proto, nodes, [self._types[t] for t in inputs], [self._types[t] for t in outputs], stored
        )
        session = open_session(proto.SerializeToString(), self.threads, arena=False)
        left = []
        for state in self.states or self._unread:
            answers = session.run(outputs, {name: state[name] for name in inputs})
            state |= dict(zip(outputs, answers, strict=True))
            for name in [t for t in state if t != wanted and not self._lasts(t, stop)]:
                del state[name]
            left.append(state)
        self.states, self.at = left, stop

    def _lasts(self, tensor: str, stop: int) -> bool:
        """True where the tensor will be asked for, or nodes from `stop` on need what is held of it."""
        return self._waiting[tensor] > 0 or (
            tensor not in self._again and self._read_last.get(tensor, -1) >= stop
        )


def _plain(value: ir.Value) -> NDArray[Any]:
    array = constant(value)
    assert array is not None
    return np.asarray(array)
