"""From the plain values of `net` to the bytes of a TFLite file (schema version 3)."""

from __future__ import annotations

import importlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.errors import MissingDependency
from paredown.runtimes.tflite.layout import Layout, channels_last, plain
from paredown.runtimes.tflite.net import Net, Operator, Tensor

SCHEMA_VERSION = 3
LAYOUTS = "paredown_layouts"  # name of a note in the file
ALIGNMENT = 16  # bytes; `force_align` of a buffer's data in the schema, which the Python packer leaves out

INT8_VERSIONS = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "RELU_0_TO_1": 1,
    "HARD_SWISH": 1,
    "RESHAPE": 1,
}
"""The version that first took INT8; 2 for all others. Float operators are version 1."""
INT4_VERSIONS = {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 7, "FULLY_CONNECTED": 7}

_ENUMS = {"padding": "Padding", "fusedActivationFunction": "ActivationFunctionType"}
_TYPES = {"inDataType", "outDataType"}


def to_bytes(net: Net, description: str) -> bytes:
    """The file. Raises MissingDependency where the schema's classes are not installed."""
    schema = _import("ai_edge_litert.schema_py_generated")
    used = [(op.code, _version(op, net)) for op in net.operators]
    codes = list(dict.fromkeys(used))
    buffers = _Buffers(schema)
    graph = schema.SubGraphT()
    names = unique_names(net)
    graph.tensors = [_tensor(t, n, schema, buffers) for t, n in zip(net.tensors, names, strict=True)]
    graph.inputs, graph.outputs = net.inputs, net.outputs
    graph.operators = [
        _operator(op, codes.index(code), schema) for op, code in zip(net.operators, used, strict=True)
    ]
    graph.name = "main"
    model = schema.ModelT()
    model.version = SCHEMA_VERSION
    model.description = description
    model.operatorCodes = [_code(code, version, schema) for code, version in codes]
    model.subgraphs = [graph]
    model.buffers = buffers.made
    model.metadata = [_layouts(net, schema, buffers)]
    model.signatureDefs = [_signature(net, schema)]
    return _packed(model, buffers.size)


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingDependency("ai-edge-litert", "litert", "writing a TFLite file") from error


class _Buffers:
    """The constants' bytes, each content once. Buffer 0 is empty: that of everything computed."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema
        self.made = [schema.BufferT()]
        self.found: dict[bytes, int] = {}
        self.size = 0

    def index(self, data: NDArray[np.uint8]) -> int:
        key = data.tobytes()
        if key not in self.found:
            buffer = self.schema.BufferT()
            buffer.data = data
            self.found[key] = len(self.made)
            self.made.append(buffer)
            self.size += data.size + ALIGNMENT
        return self.found[key]


def pack_int4(numbers: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Two numbers of -8..7 in a byte, the first in the low four bits; an odd last one alone."""
    flat = numbers.astype(np.int8).reshape(-1).view(np.uint8) & 0xF
    flat = np.append(flat, np.zeros(flat.size % 2, np.uint8))
    packed: NDArray[np.uint8] = np.bitwise_or(flat[0::2], flat[1::2] << 4)
    return packed


def _bytes(tensor: Tensor) -> NDArray[np.uint8]:
    assert tensor.data is not None
    if tensor.type == "INT4":
        return pack_int4(tensor.data)
    return np.frombuffer(np.ascontiguousarray(tensor.data).tobytes(), np.uint8)


def unique_names(net: Net) -> list[str]:
    """A name of its own for every tensor, which other tools ask for: the first to choose are inputs and
    outputs, then the model's other values."""
    first = dict.fromkeys((*net.inputs, *net.outputs, *net.layouts, *range(len(net.tensors))))
    names, used = [tensor.name for tensor in net.tensors], set[str]()
    for i in first:
        while names[i] in used:
            names[i] = f"{names[i]}.{i}"
        used.add(names[i])
    return names


def _tensor(tensor: Tensor, name: str, schema: Any, buffers: _Buffers) -> Any:
    made = schema.TensorT()
    made.name = name
    made.shape = list(tensor.shape)
    made.hasRank = True
    made.type = getattr(schema.TensorType, tensor.type)
    made.buffer = 0 if tensor.data is None else buffers.index(_bytes(tensor))
    if tensor.params is not None:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale = np.array(tensor.params.scales, np.float32)
        zero_points = [tensor.params.zero_point] * len(tensor.params.scales)
        made.quantization.zeroPoint = np.array(zero_points, np.int64)
        made.quantization.quantizedDimension = tensor.params.axis
    return made


def _operator(op: Operator, code: int, schema: Any) -> Any:
    made = schema.OperatorT()
    made.opcodeIndex = code
    made.inputs, made.outputs = list(op.inputs), list(op.outputs)
    if op.options:
        made.builtinOptionsType = getattr(schema.BuiltinOptions, op.options)
        made.builtinOptions = getattr(schema, f"{op.options}T")()
        for name, value in op.settings.items():
            setattr(made.builtinOptions, name, _setting(name, value, schema))
    return made


def _setting(name: str, value: object, schema: Any) -> object:
    if name in _ENUMS:
        return getattr(getattr(schema, _ENUMS[name]), str(value))
    return getattr(schema.TensorType, str(value)) if name in _TYPES else value


def _version(op: Operator, net: Net) -> int:
    """The first version of the operator that takes these types and settings."""
    types = [net.tensors[i].type for i in op.inputs if i >= 0]
    if op.code == "QUANTIZE":
        return 2 if types[0] == "INT8" else 1
    if op.code == "DEQUANTIZE" and "FLOAT16" in types:
        return 3
    if "INT4" in types:
        return INT4_VERSIONS.get(op.code, 2)
    if op.settings.get("halfPixelCenters"):
        return 3
    return INT8_VERSIONS.get(op.code, 2) if "INT8" in types else 1


def _code(name: str, version: int, schema: Any) -> Any:
    made = schema.OperatorCodeT()
    made.builtinCode = getattr(schema.BuiltinOperator, name)
    made.deprecatedBuiltinCode = min(made.builtinCode, 127)  # a byte, for readers of older schemas
    made.version = version
    return made


def _layouts(net: Net, schema: Any, buffers: _Buffers) -> Any:
    """The layouts that are not the usual ones, for whoever looks at inner tensors."""
    unusual = {net.tensors[i].name: list(x) for i, x in net.layouts.items() if not _is_usual(x)}
    made = schema.MetadataT()
    made.name = LAYOUTS
    made.buffer = buffers.index(np.frombuffer(json.dumps(unusual).encode(), np.uint8))
    return made


def _is_usual(layout: Layout) -> bool:
    return layout == (channels_last(4) if len(layout) == 4 else plain(len(layout)))


def read_layouts(data: bytes) -> dict[str, Layout]:
    """Tensor -> the order of its axes, of those that a file holds neither as NHWC nor, of other ranks, in
    ONNX's order."""
    model = _import("ai_edge_litert.schema_py_generated").Model.GetRootAs(data, 0)
    for i in range(model.MetadataLength()):
        note = model.Metadata(i)
        if note.Name() == LAYOUTS.encode():
            held = json.loads(model.Buffers(note.Buffer()).DataAsNumpy().tobytes())
            return {name: tuple(layout) for name, layout in held.items()}
    return {}


def _signature(net: Net, schema: Any) -> Any:
    made = schema.SignatureDefT()
    made.signatureKey = "serving_default"
    made.subgraphIndex = 0
    made.inputs = [_named(net, i, schema) for i in net.inputs]
    made.outputs = [_named(net, i, schema) for i in net.outputs]
    return made


def _named(net: Net, index: int, schema: Any) -> Any:
    made = schema.TensorMapT()
    made.name = net.tensors[index].name
    made.tensorIndex = index
    return made


def _packed(model: Any, size: int) -> bytes:
    flatbuffers = _import("flatbuffers")

    class Aligned(flatbuffers.Builder):  # type: ignore[misc, name-defined]
        def CreateNumpyVector(self, x: NDArray[np.generic]) -> int:
            self.StartVector(x.itemsize, x.size, ALIGNMENT)
            payload = x.tobytes()
            self.head -= len(payload)
            self.Bytes[self.head : self.head + len(payload)] = payload
            return int(self.EndVector())

    builder = Aligned(size + 2**16)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
