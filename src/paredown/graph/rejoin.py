"""Two parts of a graph as one again, by the names of what the second reads of the first."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from paredown.graph.load import from_proto, to_proto
from paredown.graph.prepare import convert_opset, opset_of
from paredown.graph.subgraphs import rename_reads
from paredown.model import Model


def rejoined(first: Model, second: Model, whole: Model) -> Model:
    """The parts as the model with the inputs, outputs and metadata of `whole`, which they were split from.

    What both store under one name is stored once where it is the same, else under another name.
    """
    opset = max(opset_of(to_proto(part)) for part in (first, second))
    one, other = (convert_opset(to_proto(part), opset) for part in (first, second))
    source = to_proto(whole)
    _rename(other.graph, _clashes(one.graph, other.graph, {spec.name for spec in whole.outputs}))
    made = onnx.ModelProto()
    made.CopyFrom(one)
    del made.graph.input[:], made.graph.output[:], made.metadata_props[:]
    made.graph.input.extend(v for v in source.graph.input if v.name in {s.name for s in whole.inputs})
    made.graph.output.extend(source.graph.output)
    stored = {t.name for t in made.graph.initializer}
    made.graph.initializer.extend(t for t in other.graph.initializer if t.name not in stored)
    made.graph.node.extend(other.graph.node)
    known = {v.name for v in (*made.graph.value_info, *made.graph.output, *made.graph.input)}
    made.graph.value_info.extend(
        v for v in (*one.graph.output, *other.graph.value_info) if v.name not in known
    )
    for domain in other.opset_import:
        if domain.domain not in {d.domain for d in made.opset_import}:
            made.opset_import.append(domain)
    made.ir_version = max(one.ir_version, other.ir_version)
    made.metadata_props.extend(source.metadata_props)
    joined = from_proto(made, whole.name)
    return joined if whole.card is None else joined.with_card(whole.card)


def _clashes(one: onnx.GraphProto, other: onnx.GraphProto, outputs: set[str]) -> dict[str, str]:
    """Another name for each tensor of the second that the first makes or stores as something else."""
    stored = {t.name: t.SerializeToString() for t in one.initializer}
    taken = {*stored, *(name for node in one.node for name in node.output)}
    mine = {t.name: t.SerializeToString() for t in other.initializer}
    made = {name for node in other.node for name in node.output if name}
    clashing = [n for n in (*mine, *made) if n in taken and not (n in mine and stored.get(n) == mine[n])]
    return {name: f"{name}_of_decoder" for name in sorted(set(clashing) - outputs)}


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    for tensor in graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    for value in graph.value_info:
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        rename_reads(node, names)
        for place, name in enumerate(node.output):
            node.output[place] = names.get(name, name)
