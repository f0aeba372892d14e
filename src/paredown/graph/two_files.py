"""A promptable model as two files again, encoder and decoder, under the names that they had before joining.

What the decoder reads of the encoder bears the encoder's name for it. Where a recipe put integers between the
parts, it may be several tensors.
"""

from __future__ import annotations

from dataclasses import replace

import onnx

from paredown.graph.join import DECODER, ENCODER
from paredown.graph.load import from_proto, to_proto
from paredown.graph.split import split
from paredown.graph.subgraphs import rename_reads
from paredown.model import Model


def two_files(model: Model, image: str) -> dict[str, Model]:
    """The models of "encoder" and "decoder", with the whole's metadata. Raises as `split` does."""
    parts = dict(zip((ENCODER, DECODER), split(model, image), strict=True))
    return {name: _plain(part, name, model) for name, part in parts.items()}


def _plain(part: Model, name: str, whole: Model) -> Model:
    """The part without the prefixes of its inputs and outputs, where no name is taken twice by that."""
    proto = to_proto(part)
    border = [v.name for v in (*proto.graph.input, *proto.graph.output)]
    names = {n: n.removeprefix(f"{ENCODER}/").removeprefix(f"{DECODER}/") for n in border}
    others = {o for node in proto.graph.node for o in node.output} | {t.name for t in proto.graph.initializer}
    if len(set(names.values())) == len(names) and not set(names.values()) & (others - set(border)):
        _rename(proto.graph, names)
    proto.metadata_props.extend(to_proto(whole).metadata_props)
    return replace(from_proto(proto, name), card=None)


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        rename_reads(node, names)
        for place, name in enumerate(node.output):
            node.output[place] = names.get(name, name)
