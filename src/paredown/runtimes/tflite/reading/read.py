"""From the bytes of a TFLite file to a float `Model`.

Integers with a scale become the real numbers that they stand for, so that an INT8 file gives the float model
that it was made from, as far as its rounding left it; the model's notes say so. An integer input stays one,
read through a DequantizeLinear. The schema is that of `ai_edge_litert`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from paredown.errors import MissingDependency, ModelError, UnsupportedModel, first_line
from paredown.graph.load import from_proto, parse
from paredown.graph.notes import FROM_TFLITE, add_note
from paredown.model import Model
from paredown.runtimes.tflite.reading.layers import LAYERS
from paredown.runtimes.tflite.reading.lifting import Lifting
from paredown.runtimes.tflite.reading.shapes import SHAPES
from paredown.runtimes.tflite.reading.values import VALUES

OPSET = 17
OPS = {**LAYERS, **SHAPES, **VALUES}
_CURES = {
    "TFLite_Detection_PostProcess": "its boxes come out of an operator of TensorFlow's own: "
    "export without it, and the priors outside are read (docs/heads.md)",
}
Array = NDArray[Any]


def read(data: bytes, name: str) -> Model:
    """The model in the bytes of a TFLite file.

    Raises MissingDependency; ModelError where it is none; UnsupportedModel with operators that are not known.
    """
    schema = _schema()
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    except Exception as error:  # flatbuffers raises whatever a broken offset leads to
        raise ModelError(f"{name} is no TFLite file, or it is cut short", got=first_line(error)) from error
    if len(model.subgraphs or ()) != 1:
        raise UnsupportedModel(
            "the TFLite file holds control flow", got=f"{len(model.subgraphs or ())} subgraphs"
        )
    graph = model.subgraphs[0]
    _refuse_unknown(model, graph, schema)
    quantized = sum(_scales(t).size > 0 for t in graph.tensors)
    lifting = Lifting(
        [_text(t.name) or f"tensor{i}" for i, t in enumerate(graph.tensors)],
        [tuple(int(d) for d in ([] if t.shape is None else t.shape)) for t in graph.tensors],
        {i: a for i, t in enumerate(graph.tensors) if (a := _constant(t, model, schema)) is not None},
    )
    inputs = [_input(int(i), graph.tensors[i], lifting, schema) for i in graph.inputs]
    for op in graph.operators:
        code = _code(model.operatorCodes[op.opcodeIndex], schema)
        OPS[code](lifting, op, code)
    outputs = [_output(int(i), lifting) for i in graph.outputs]
    made = helper.make_graph(lifting.nodes, name, inputs, outputs, lifting.stored)
    proto = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    add_note(proto, FROM_TFLITE + (_said(quantized) if quantized else ""))
    proto = parse(onnx.shape_inference.infer_shapes(proto, data_prop=True).SerializeToString(), name)
    return from_proto(proto, name)


def _said(quantized: int) -> str:
    return (
        f"; made from an already quantized file ({quantized} tensors of integers): what that rounding lost "
        "is lost, and `float` means this file's numbers without it"
    )


def _schema() -> Any:
    try:
        return importlib.import_module("ai_edge_litert.schema_py_generated")
    except ImportError as error:
        raise MissingDependency("ai-edge-litert", "litert", "reading a TFLite file") from error


def _refuse_unknown(model: Any, graph: Any, schema: Any) -> None:
    codes = [_code(model.operatorCodes[op.opcodeIndex], schema) for op in graph.operators]
    unknown = sorted({code for code in codes if code not in OPS})
    if unknown:
        cure = next((_CURES[code] for code in unknown if code in _CURES), None)
        raise UnsupportedModel(
            "the TFLite file holds operators that are not read", got=", ".join(unknown), hint=cure
        )


def _code(code: Any, schema: Any) -> str:
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
    name = str(names.get(number, number))
    return _text(code.customCode) if name == "CUSTOM" else name


def _text(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name or "")


def _scales(tensor: Any) -> Array:
    held = None if tensor.quantization is None else tensor.quantization.scale
    return np.zeros(0, np.float32) if held is None else np.asarray(held, np.float32)


def _zeros(tensor: Any) -> Array:
    held = tensor.quantization.zeroPoint
    return np.zeros(1, np.int64) if held is None or len(held) == 0 else np.asarray(held, np.int64)


def _constant(tensor: Any, model: Any, schema: Any) -> Array | None:
    """The numbers of a constant tensor, real where it has a scale; None for one that is computed."""
    data = model.buffers[tensor.buffer].data
    if tensor.buffer == 0 or data is None or len(data) == 0:
        return None
    shape = tuple(int(d) for d in ([] if tensor.shape is None else tensor.shape))
    array = _numbers(np.asarray(data, np.uint8), tensor.type, shape, schema)
    scales = _scales(tensor)
    if not scales.size or array.dtype.kind == "f":
        return array.astype(np.float32) if array.dtype == np.float16 else array
    spread = [1] * array.ndim
    if scales.size > 1:
        spread[tensor.quantization.quantizedDimension] = -1
    zeros = _zeros(tensor)
    zero = zeros.reshape(spread if zeros.size > 1 else ())
    step = scales.reshape(spread if scales.size > 1 else ())
    return np.asarray((array.astype(np.float64) - zero) * step, np.float32)


def _numbers(data: NDArray[np.uint8], kind: int, shape: tuple[int, ...], schema: Any) -> Array:
    types = {v: k for k, v in vars(schema.TensorType).items() if not k.startswith("_")}
    name = types.get(kind, str(kind))
    if name == "INT4":
        low, high = (data << 4).view(np.int8) >> 4, data.view(np.int8) >> 4
        return np.stack((low, high), axis=1).reshape(-1)[: int(np.prod(shape))].reshape(shape)
    if name not in _NUMPY:
        raise UnsupportedModel("the TFLite file holds numbers of a type that is not read", got=name)
    return np.frombuffer(data.tobytes(), _NUMPY[name]).reshape(shape)


_NUMPY: Mapping[str, str] = {
    **{f"INT{n}": f"int{n}" for n in (8, 16, 32, 64)},
    **{"FLOAT32": "float32", "FLOAT16": "float16", "UINT8": "uint8", "BOOL": "bool", "FLOAT64": "float64"},
}


def _input(index: int, tensor: Any, lifting: Lifting, schema: Any) -> onnx.ValueInfoProto:
    """The graph input, in TFLite's own order and type, and what makes real numbers of it."""
    types = {v: k for k, v in vars(schema.TensorType).items() if not k.startswith("_")}
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(_NUMPY[types[tensor.type]]))
    name, value = lifting.names[index], lifting.names[index]
    if _scales(tensor).size:
        scale = lifting.scalar(float(_scales(tensor)[0]))
        dtype = np.dtype(_NUMPY[types[tensor.type]])
        zero = lifting.store(np.array(int(_zeros(tensor)[0]), dtype), "zero")
        value = lifting.node("DequantizeLinear", value, scale, zero)
    lifting.put_own_order(index, value)
    return helper.make_tensor_value_info(name, kind, lifting.shapes[index])


def _output(index: int, lifting: Lifting) -> onnx.ValueInfoProto:
    """The graph output, in TFLite's own order, as real numbers."""
    value = lifting.own_order(index)
    name = lifting.names[index]
    taken = {v for node in lifting.nodes for v in (*node.input, *node.output)}
    while name in taken:
        name += ":0"
    lifting.nodes.append(helper.make_node("Identity", [value], [name], name=f"{name}/out"))
    return helper.make_value_info(name, helper.make_tensor_type_proto(onnx.TensorProto.UNDEFINED, None))
