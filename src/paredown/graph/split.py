"""A promptable model in two parts: what depends on the image alone, and what prompts have a say in.

The first is run once for an image, the second for every prompt. It goes by what depends on what, so that it
holds whatever a recipe made of the graph: no name is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import onnx

from paredown.errors import UnsupportedModel
from paredown.graph.cut import nodes_before, part_of
from paredown.graph.join import DECODER, ENCODER
from paredown.graph.load import from_proto, to_proto
from paredown.graph.subgraphs import reads
from paredown.model import Model


def split(model: Model, image: str) -> tuple[Model, Model]:
    """The part that depends on the input `image` alone, and the rest, which reads what the first answers.

    Raises: UnsupportedModel where nothing depends on the image alone, where an output does, or where the type
    of a tensor between the parts is not known.
    """
    proto = onnx.shape_inference.infer_shapes(to_proto(model), data_prop=True)
    graph = proto.graph
    inputs = {spec.name for spec in model.inputs}
    asked, seen = _behind(graph, inputs - {image}), _behind(graph, [image])
    own = seen - asked  # by the place of the node
    made = {name for i in own for name in graph.node[i].output if name}
    read = {name for i in asked for name in reads(graph.node[i])}
    outputs = [v.name for v in graph.output]
    border = sorted(made & read)
    if not border or made & set(outputs):
        raise UnsupportedModel(
            "no part of the model depends on the image alone", got=f"inputs {', '.join(sorted(inputs))}"
        )
    between = _typed(graph, border)
    fed = [v for v in graph.input if v.name in inputs and (v.name != image or image in read)]
    before = nodes_before(graph, border)
    inner = {_key(graph.node[i]) for i in own}
    rest = [node for node in nodes_before(graph, outputs) if _key(node) not in inner]
    first = part_of(proto, before, [v for v in graph.input if v.name == image], between)
    second = part_of(proto, rest, [*fed, *between], list(graph.output))
    for part in (first, second):
        own_names = {name for node in part.graph.node for name in node.output}
        part.graph.value_info.extend(v for v in graph.value_info if v.name in own_names)
    return from_proto(first, ENCODER), from_proto(second, DECODER)


def _behind(graph: onnx.GraphProto, tensors: Collection[str]) -> set[int]:
    """The places of the nodes that depend on any of the tensors."""
    reached, found = set(tensors), set()
    for place, node in enumerate(graph.node):
        if not reached.isdisjoint(reads(node)):
            reached.update(name for name in node.output if name)
            found.add(place)
    return found


def _typed(graph: onnx.GraphProto, names: Sequence[str]) -> list[onnx.ValueInfoProto]:
    known = {v.name: v for v in (*graph.value_info, *graph.output)}
    if unknown := [name for name in names if name not in known]:
        raise UnsupportedModel("the type of a tensor between the parts is not known", got=unknown[0])
    return [known[name] for name in names]


def _key(node: onnx.NodeProto) -> str:
    """What tells a node from all others: its first output."""
    return str(next(name for name in node.output if name))
