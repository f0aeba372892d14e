"""From a file on disk to a `Model`, or a clear refusal. Never changes the file."""

from __future__ import annotations

import os
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
from google.protobuf.message import DecodeError, EncodeError

from paredown.errors import ModelError, UnsupportedModel
from paredown.graph.bare_outputs import shape_outputs
from paredown.graph.budget import check_budget, check_nodes, refuse_many_nodes
from paredown.graph.external import load_external
from paredown.graph.foreign import TAKEN, hint_for_folder, kind_of
from paredown.graph.outline import Bytes, NoMessage, count_nodes
from paredown.graph.size_input import settle_size_input
from paredown.model import Model, TensorSpec

MAX_BYTES = 2**31 - 1  # the limit of one protobuf message


def load_model(path: str | Path) -> Model:
    """The model in an ONNX file, external data included, local functions inlined.

    Raises:
        ModelError: no such file, empty, truncated, not ONNX, or external data missing, cut short or standing
            outside the model's own folder (a model from a stranger must not read /etc/passwd).
        UnsupportedModel: over 2 GiB.
    """
    path = Path(path)
    return from_proto(parse(read_model_file(path), str(path), path.parent), path.stem)


def read_model_file(path: Path) -> bytes:
    """All bytes of an ONNX file. One that is none is refused before it is read. Raises ModelError."""
    refuse_no_file(path)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise _no_model(b"", str(path))
            with mmap(file.fileno(), 0, access=ACCESS_READ) as view:
                _check_outline(view, str(path))
            if size > MAX_BYTES:
                raise UnsupportedModel(f"{path} is over 2 GiB", got=f"{size / 2**30:.1f} GiB")
            return file.read(MAX_BYTES)
    except OSError as error:
        raise ModelError(f"cannot read {path}", got=error.strerror) from error


def refuse_no_file(path: Path) -> None:
    """Raises ModelError where no ordinary file stands there: a pipe or a device could keep us waiting."""
    if path.is_file():
        return
    got = "a folder" if path.is_dir() else "a pipe or a device" if path.exists() else "nothing there"
    raise ModelError(f"no model file at {path}", got=got, expected=TAKEN, hint=hint_for_folder(path))


def _check_outline(data: Bytes, where: str) -> None:
    try:
        nodes = count_nodes(data)
    except NoMessage:
        raise _no_model(data, where) from None
    refuse_many_nodes(nodes, where)


def _no_model(data: Bytes, where: str) -> ModelError:
    got, hint = kind_of(data, where)
    what = f"{where} is not an ONNX model, or it is cut short"
    return ModelError(what, got=got, expected=TAKEN, hint=hint)


def parse(data: bytes, where: str, folder: Path | None = None) -> onnx.ModelProto:
    """The checked ModelProto in `data`, external data loaded from `folder` where the file points there.

    Raises: ModelError; UnsupportedModel where it would take more memory or time than a model may (`budget`).
    """
    _check_outline(data, where)
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except (DecodeError, RecursionError) as error:
        raise _no_model(data, where) from error
    if not proto.HasField("graph") or not proto.graph.node:
        got, hint = kind_of(data, where)
        raise ModelError(
            f"{where} holds no ONNX graph", got=got, expected="a serialized ModelProto", hint=hint
        )
    if not proto.opset_import:
        raise ModelError(f"{where} names no opset", expected="an opset_import for ai.onnx")
    check_nodes(proto, where)
    load_external(proto, where, folder)
    settle_size_input(proto)
    shape_outputs(proto)
    if proto.ByteSize() > MAX_BYTES:
        raise UnsupportedModel(f"{where} is over 2 GiB", got=f"{proto.ByteSize() / 2**30:.1f} GiB")
    try:
        onnx.checker.check_model(proto)
    except (onnx.checker.ValidationError, ValueError, UnicodeDecodeError) as error:
        raise ModelError(f"{where} is not a valid ONNX model", got=_first_line(error)) from error
    proto = _inlined(proto, where)
    check_budget(proto, where)
    return proto


def from_proto(proto: onnx.ModelProto, name: str) -> Model:
    """The `Model` of a ModelProto. Raises ModelError where an input or output is no known tensor."""
    initializers = {t.name for t in proto.graph.initializer}
    inputs = tuple(_spec(v) for v in proto.graph.input if v.name not in initializers)
    outputs = tuple(_spec(v) for v in proto.graph.output)
    metadata = {p.key: p.value for p in proto.metadata_props}
    try:
        return Model(proto.SerializeToString(), inputs, outputs, name, metadata)
    except EncodeError as error:
        raise UnsupportedModel("the model cannot be serialized in one message", got=error) from error


def to_proto(model: Model) -> onnx.ModelProto:
    """A fresh ModelProto that may be changed."""
    return onnx.load_model_from_string(model.data)


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        raise ModelError(f"input or output {value.name!r} is no tensor", got=value.type.WhichOneof("value"))
    try:
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    except (KeyError, ValueError) as error:
        raise ModelError(f"tensor {value.name!r} has an unknown type", got=tensor.elem_type) from error
    shape = tuple(
        d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim
    )
    return TensorSpec(value.name, shape, dtype)


def _inlined(proto: onnx.ModelProto, where: str) -> onnx.ModelProto:
    """The proto with its local functions (the dynamo exporter's) written out where they are called."""
    if not proto.functions:
        return proto
    typed = {v.name for v in (*proto.graph.value_info, *proto.graph.input)}
    proto.graph.value_info.extend(  # what a function of another opset is converted by
        onnx.helper.make_tensor_value_info(t.name, t.data_type, list(t.dims))
        for t in proto.graph.initializer
        if t.name not in typed
    )
    try:
        made = onnx.inliner.inline_local_functions(proto, convert_version=True)
        left = [f.name for f in made.functions]
    except (RuntimeError, ValueError) as error:
        made, left = proto, [_first_line(error)]
    if left:
        raise UnsupportedModel(
            f"{where}: local functions cannot be inlined",
            got=", ".join(left[:5]),
            hint="export without functions",
        )
    return made


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
