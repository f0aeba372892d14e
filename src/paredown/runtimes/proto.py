"""Editing a copy of a ModelProto: inner tensors become outputs, declared types become `TensorSpec`s."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from paredown.errors import ModelError, TargetError
from paredown.model import TensorSpec
from paredown.policy import PRECISION_KEY


def parse(model: bytes | Path) -> onnx.ModelProto:
    """The ModelProto in `model`. Raises ModelError where there is none."""
    try:
        data = model if isinstance(model, bytes) else model.read_bytes()
        proto = onnx.load_model_from_string(data)
    except (DecodeError, OSError) as e:
        raise ModelError("not a readable ONNX model", got=e) from e
    if not proto.graph.output:
        raise ModelError("not an ONNX model: its graph has no outputs", got=f"{len(data)} bytes")
    return proto


def precision_of(model: bytes | Path) -> str:
    """The precision that the file says its float part is for ("bfloat16"), "" where it says none."""
    try:
        data = model if isinstance(model, bytes) else model.read_bytes()
    except OSError as e:
        raise ModelError("not a readable ONNX model", got=e) from e
    if PRECISION_KEY.encode() not in data:  # most files: they need not be parsed
        return ""
    return next((p.value for p in parse(data).metadata_props if p.key == PRECISION_KEY), "")


def with_outputs(model: bytes | Path, names: Sequence[str]) -> onnx.ModelProto:
    """A copy of `model` whose graph answers with the tensors `names` too, those it already answers with once.

    A tensor whose type the file does not declare becomes an output without a type: the runtime infers it.
    """
    proto = parse(model)
    graph = proto.graph
    made = {name for node in graph.node for name in node.output if name}
    known = made | {i.name for i in graph.input} | {i.name for i in graph.initializer}
    declared = {info.name: info for info in (*graph.value_info, *graph.input)}
    present = {output.name for output in graph.output}
    for name in names:
        if name not in known:
            raise TargetError(
                f"the model has no tensor {name!r}", got=f"{len(made)} tensors, none of that name"
            )
        if name not in present:
            graph.output.append(declared.get(name) or onnx.ValueInfoProto(name=name))
            present.add(name)
    return proto


def specs(infos: Iterable[onnx.ValueInfoProto]) -> tuple[TensorSpec, ...]:
    """The tensor specs that value infos declare; an undeclared type counts as float32 of no dimensions."""
    return tuple(_spec(info) for info in infos)


def _spec(info: onnx.ValueInfoProto) -> TensorSpec:
    tensor = info.type.tensor_type
    code = tensor.elem_type or onnx.TensorProto.FLOAT
    shape = tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)
    return TensorSpec(info.name, shape, str(onnx.helper.tensor_dtype_to_np_dtype(code)))
