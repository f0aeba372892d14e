"""From a file on disk to a `Model`, or a clear refusal. Never changes the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError, EncodeError
from onnx.external_data_helper import load_external_data_for_model, uses_external_data

from paredown.errors import ModelError, UnsupportedModel
from paredown.model import Model, TensorSpec

MAX_BYTES = 2**31 - 1  # the limit of one protobuf message


def load_model(path: str | Path) -> Model:
    """The model in an ONNX file, external data included.

    Raises:
        ModelError: no such file, empty, truncated, not ONNX, or external data missing, cut short or standing
            outside the model's own folder (a model from a stranger must not read /etc/passwd).
        UnsupportedModel: over 2 GiB.
    """
    path = Path(path)
    return from_proto(parse(read_file(path), str(path), path.parent), path.stem)


def read_file(path: Path) -> bytes:
    """All bytes of a model file. Raises ModelError."""
    if not path.is_file():
        raise ModelError(f"no model file at {path}", hint="the path of an .onnx file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}", got=error.strerror) from error


def parse(data: bytes, where: str, folder: Path | None = None) -> onnx.ModelProto:
    """The checked ModelProto in `data`, external data loaded from `folder` where the file points there."""
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except (DecodeError, RecursionError) as error:
        raise ModelError(f"{where} is not an ONNX model, or it is cut short", got=_kind(data)) from error
    if not proto.HasField("graph") or not proto.graph.node:
        raise ModelError(f"{where} holds no ONNX graph", got=_kind(data), expected="a serialized ModelProto")
    if not proto.opset_import:
        raise ModelError(f"{where} names no opset", expected="an opset_import for ai.onnx")
    _load_external(proto, where, folder)
    if proto.ByteSize() > MAX_BYTES:
        raise UnsupportedModel(f"{where} is over 2 GiB", got=f"{proto.ByteSize() / 2**30:.1f} GiB")
    try:
        onnx.checker.check_model(proto)
    except (onnx.checker.ValidationError, ValueError, UnicodeDecodeError) as error:
        raise ModelError(f"{where} is not a valid ONNX model", got=_first_line(error)) from error
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


def _load_external(proto: onnx.ModelProto, where: str, folder: Path | None) -> None:
    external = [t for t in proto.graph.initializer if uses_external_data(t)]
    if not external:
        return
    if folder is None:
        raise ModelError(f"{where} keeps its weights in another file", hint="load it from its path")
    root = folder.resolve()
    for tensor in external:
        info = {e.key: e.value for e in tensor.external_data}
        location = info.get("location", "")
        target = (root / location).resolve()
        if not location or not target.is_relative_to(root):
            raise ModelError(
                f"{where}: external data of {tensor.name!r} points outside the model's folder",
                got=location,
                hint="only files beside the model are read",
            )
        if not target.is_file():
            raise ModelError(
                f"{where}: external data file is missing", got=location, expected=f"a file in {folder}"
            )
        offset, length = info.get("offset", "0"), info.get("length", "0")
        if not (offset.isdecimal() and length.isdecimal()):
            raise ModelError(
                f"{where}: external data of {tensor.name!r} is at no place",
                got=f"offset {offset}, length {length}",
            )
        if target.stat().st_size < (need := int(offset) + int(length)):
            raise ModelError(
                f"{where}: external data of {tensor.name!r} is cut short",
                got=f"{target.stat().st_size} bytes",
                expected=f"at least {need}",
            )
    try:
        load_external_data_for_model(proto, str(root))
    except (onnx.checker.ValidationError, ValueError, OSError) as error:
        raise ModelError(f"{where}: external data cannot be read", got=_first_line(error)) from error


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


def _kind(data: bytes) -> str:
    if not data:
        return "an empty file"
    known = {
        b"PK": "a zip archive (a PyTorch checkpoint?)",
        b"\x89PNG": "a PNG image",
        b"\xff\xd8": "a JPEG image",
    }
    for magic, kind in known.items():
        if data.startswith(magic):
            return kind
    return "a TFLite model" if data[4:8] == b"TFL3" else f"{len(data)} bytes of something else"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
