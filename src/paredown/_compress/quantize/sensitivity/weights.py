"""How much rounding each weight damages the answer at the heads, one weight at a time.

The float graph gets a switch at every weight, w + g (snap(w) - w), as activations.py puts one at every
activation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from paredown._compress.quantize.sensitivity.activations import by_halves, with_most_objects
from paredown._compress.quantize.sensitivity.noise import answers
from paredown._compress.recipe import Context
from paredown.graph.cut import leave_out_tail
from paredown.graph.load import to_proto
from paredown.graph.run import open_session
from paredown.graph.walk import constant, weight_of
from paredown.model import Model
from paredown.numerics.quant_params import QuantParams
from paredown.protocols import Feeds

Floats = NDArray[np.float32]


def damages(
    model: Model, errors: Mapping[ir.Node, Floats], heads: Sequence[str], number: int, context: Context
) -> dict[ir.Node, float]:
    """The damage of every weight alone on so many images. errors: what is added to each weight."""
    if not errors:
        return {}
    named = {str(node.name): error for node, error in errors.items()}
    images = with_most_objects(model, heads, context, number)
    switched = SwitchedWeights(model, named, heads, images, context.threads)
    shown = context.progress(errors, "measuring layers", len(errors))
    return {node: switched.damage([str(node.name)]) for node in shown}


def rounding_errors(grids: Mapping[ir.Node, QuantParams]) -> dict[ir.Node, Floats]:
    """Layer -> snap(w) - w of its weight."""
    weights = {node: np.asarray(constant(weight_of(node)), np.float32) for node in grids}
    return {n: grids[n].snap(w) - w for n, w in weights.items()}


class SwitchedWeights:
    """The float model with a switch on every weight. errors: node name -> snap(w) - w."""

    def __init__(
        self,
        model: Model,
        errors: Mapping[str, Floats],
        heads: Sequence[str],
        images: Sequence[Feeds],
        threads: int,
    ) -> None:
        self.nodes, self.heads, self.images = list(errors), list(heads), list(images)
        proto = to_proto(model)
        _add_switches(proto, errors, self.heads)
        self.session = open_session(proto.SerializeToString(), threads, frugal=True, arena=False)
        self.clean = [answers(self._answers(image, ())) for image in self.images]

    def damage(self, on: Sequence[str]) -> float:
        """The mean over images and heads with the weights of these nodes rounded and all else float."""
        found = [
            clean.damage(other)
            for image, all_clean in zip(self.images, self.clean, strict=True)
            for clean, other in zip(all_clean, self._answers(image, on), strict=True)
        ]
        return float(np.mean(found))

    def alone(self, enough: float) -> dict[str, float]:
        """Node name -> damage of its weight alone. Sets under `enough` are not taken apart."""
        return by_halves(self.nodes, self.damage, enough)

    def _answers(self, image: Feeds, on: Sequence[str]) -> list[Floats]:
        wanted = set(on)
        switches = np.array([name in wanted for name in self.nodes], np.float32)
        feeds = {**image, "/weights": switches}
        return list(self.session.run([f"{h}/head" for h in self.heads], feeds))


def _add_switches(proto: onnx.ModelProto, errors: Mapping[str, Floats], heads: Sequence[str]) -> None:
    graph = proto.graph
    graph.input.append(helper.make_tensor_value_info("/weights", TensorProto.FLOAT, [len(errors)]))
    place = {name: i for i, name in enumerate(errors)}
    made: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.name in place:
            i = place[node.name]
            graph.initializer.append(numpy_helper.from_array(errors[node.name], f"/error{i}"))
            graph.initializer.append(numpy_helper.from_array(np.array(i, np.int64), f"/weight{i}/index"))
            made += [
                helper.make_node("Gather", ["/weights", f"/weight{i}/index"], [f"/weight{i}"]),
                helper.make_node("Mul", [f"/error{i}", f"/weight{i}"], [f"/part{i}"]),
                helper.make_node("Add", [node.input[1], f"/part{i}"], [f"/mixed{i}"]),
            ]
            node.input[1] = f"/mixed{i}"
    rest = list(graph.node)
    del graph.node[:], graph.output[:]
    graph.node.extend([*made, *rest])
    for head in heads:
        graph.node.append(helper.make_node("Identity", [head], [f"{head}/head"]))
        graph.output.append(helper.make_tensor_value_info(f"{head}/head", TensorProto.FLOAT, None))
    leave_out_tail(graph)
