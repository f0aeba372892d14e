"""What the operators' functions work with: which TFLite tensor holds an ONNX value, and in which layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.errors import UnsupportedModel
from paredown.graph.walk import attribute, constant, consumers, shape_of
from paredown.runtimes.tflite.layout import Layout, arranged, plain, same_memory
from paredown.runtimes.tflite.net import Net, NumberType, Operator, QuantParams, Tensor

_TYPES: dict[ir.DataType, NumberType] = {
    ir.DataType.FLOAT: "FLOAT32",
    ir.DataType.INT64: "INT32",  # indices and shapes: TFLite's operators take 32 bits
    ir.DataType.INT32: "INT32",
    ir.DataType.BOOL: "BOOL",
}


@dataclass(frozen=True)
class Held:
    """The TFLite tensor behind an ONNX value. An INT8 one with `QuantParams` stands for real numbers."""

    tensor: int
    layout: Layout


@dataclass(frozen=True)
class Stored:
    """Integers of the file that a DequantizeLinear reads: real = scales * integers, per index of `axis`."""

    integers: NDArray[np.int64]
    scales: NDArray[np.float32]  # 0 or 1 axes
    axis: int
    four_bit: bool

    def real(self) -> NDArray[np.float32]:
        shape = [-1 if i == self.axis and self.scales.ndim else 1 for i in range(self.integers.ndim)]
        made: NDArray[np.float32] = self.integers.astype(np.float32) * self.scales.reshape(shape)
        return made


@dataclass
class Lowering:
    """The net so far. `done` are nodes that another one has taken in as its activation."""

    net: Net = field(default_factory=Net)
    four_bit: frozenset[str] = frozenset()  # names of constants that the file stores in four bits
    half: frozenset[str] = frozenset()  # names of constants that the file stores in float16
    held: dict[ir.Value, Held] = field(default_factory=dict)
    stored: dict[ir.Value, Stored] = field(default_factory=dict)
    done: set[ir.Node] = field(default_factory=set)
    cache: dict[object, int] = field(default_factory=dict)

    # constants

    def constant(self, value: ir.Value | None) -> NDArray[np.generic] | None:
        """The array behind a value that depends on no input: real numbers where it is stored as integers."""
        if value in self.stored:
            return self.stored[value].real()
        return constant(value)

    def array(self, data: NDArray[np.generic], name: str = "constant") -> int:
        """A constant tensor of float, integer (as INT32) or boolean numbers; the same content once."""
        if data.dtype.kind in "iu":
            data = data.clip(-(2**31), 2**31 - 1).astype(np.int32)
        kinds: dict[str, NumberType] = {"f": "FLOAT32", "i": "INT32", "b": "BOOL"}
        kept = data.astype(np.float32) if data.dtype.kind == "f" else data
        key = (kept.dtype.str, kept.shape, kept.tobytes())
        if key not in self.cache:
            self.cache[key] = self.net.add(Tensor(name, kept.shape, kinds[kept.dtype.kind], None, kept))
        return self.cache[key]

    def halved(self, data: NDArray[np.generic]) -> int:
        """Weights stored in float16, which XNNPACK makes float32 once, when the file is loaded."""
        kept = data.astype(np.float16)
        stored = self.net.add(Tensor("weights", kept.shape, "FLOAT16", None, kept))
        return self.once("DEQUANTIZE", stored, "FLOAT32", None, "DequantizeOptions")

    def numbers(self, *values: int) -> int:
        """A constant INT32 vector: a shape, a permutation, the begin of a slice."""
        return self.array(np.array(values, np.int32), "numbers")

    def pairs(self, rows: Sequence[tuple[int, int]]) -> int:
        """A constant INT32 matrix of two columns: how far to pad every axis."""
        return self.array(np.array(rows, np.int32), "pads")

    def number(self, value: float) -> int:
        """A constant real number."""
        return self.array(np.array(value, np.float32), "number")

    def index(self, value: int) -> int:
        """A constant INT32 number: an axis, a count."""
        return self.array(np.array(value, np.int32), "index")

    def integer(self, value: int, params: QuantParams) -> int:
        """A constant INT8 number on a grid."""
        return self.net.add(Tensor("number", (), "INT8", params, np.array(value, np.int8)))

    # values

    def params(self, tensor: int) -> QuantParams | None:
        return self.net.tensors[tensor].params

    def type(self, tensor: int) -> NumberType:
        return self.net.tensors[tensor].type

    def find(self, value: ir.Value) -> Held:
        """Where a value is held: a constant in ONNX's order."""
        if value not in self.held:
            data = self.constant(value)
            if data is None:
                raise UnsupportedModel(f"tensor {str(value.name)!r} is read before it is made")
            self.held[value] = Held(self.array(data, str(value.name)), plain(data.ndim))
        return self.held[value]

    def take(self, value: ir.Value, layout: Layout | None = None, real: bool = False) -> int:
        """The tensor of a value in this layout; `real`: as FLOAT32 where it is held as INT8."""
        held = self.find(value)
        tensor = held.tensor
        if real and self.params(tensor) is not None:
            tensor = self.once("DEQUANTIZE", tensor, "FLOAT32", None, "DequantizeOptions")
        if layout is None or layout == held.layout:
            return tensor
        return self.moved(tensor, shape_of(value), held.layout, layout)

    def moved(self, tensor: int, shape: Sequence[int], here: Layout, there: Layout) -> int:
        """The tensor in another layout of the same ONNX shape."""
        if here == there:
            return tensor
        if same_memory(shape, here, there):
            return self.reshaped(tensor, arranged(shape, there))
        key = ("TRANSPOSE", tensor, there)
        if key not in self.cache:
            made = self.like(tensor, arranged(shape, there))
            perm = self.numbers(*(here.index(axis) for axis in there))
            self.cache[key] = self.emit("TRANSPOSE", [tensor, perm], made, "TransposeOptions")
        return self.cache[key]

    def reshaped(self, tensor: int, shape: Sequence[int]) -> int:
        """The same values, in the same order, under another shape."""
        if self.net.tensors[tensor].shape == tuple(shape):
            return tensor
        key = ("RESHAPE", tensor, tuple(shape))
        if key not in self.cache:
            made = self.like(tensor, shape)
            inputs = [tensor, self.numbers(*shape)]
            self.cache[key] = self.emit("RESHAPE", inputs, made, "ReshapeOptions", newShape=list(shape))
        return self.cache[key]

    def once(self, code: str, tensor: int, kind: NumberType, params: QuantParams | None, options: str) -> int:
        """An operator of one input that keeps the shape: made once for a tensor."""
        key = (code, tensor, kind, params)
        if key not in self.cache:
            made = self.new(self.net.tensors[tensor].shape, kind, params)
            self.cache[key] = self.emit(code, [tensor], made, options)
        return self.cache[key]

    def requantized(self, tensor: int, params: QuantParams) -> int:
        """The INT8 tensor with these parameters, from a real one or from one with others."""
        if self.params(tensor) == params:
            return tensor
        return self.once("QUANTIZE", tensor, "INT8", params, "QuantizeOptions")

    # results

    def new(self, shape: Sequence[int], kind: NumberType, params: QuantParams | None, name: str = "") -> int:
        name = name or f"t{len(self.net.tensors)}"
        return self.net.add(Tensor(name, tuple(shape), kind, params))

    def like(self, tensor: int, shape: Sequence[int]) -> int:
        """A new tensor with the type and scale of another."""
        return self.new(shape, self.type(tensor), self.params(tensor))

    def result(self, value: ir.Value, layout: Layout, params: QuantParams | None = None) -> int:
        """The tensor that an operator writes for this value: INT8 where `params` are given."""
        kind = "INT8" if params else kind_of(value)
        tensor = self.new(arranged(shape_of(value), layout), kind, params, str(value.name))
        self.held[value] = Held(tensor, layout)
        self.net.layouts[tensor] = layout
        return tensor

    def alias(self, value: ir.Value, tensor: int, layout: Layout) -> None:
        """The value is held by a tensor that is there already."""
        self.held[value] = Held(tensor, layout)

    def emit(
        self,
        code: str,
        inputs: Sequence[int],
        made: int | Sequence[int],
        options: str = "",
        **settings: object,
    ) -> int:
        """Writes an operator down; the index of its first output."""
        outputs = (made,) if isinstance(made, int) else tuple(made)
        self.net.operators.append(Operator(code, tuple(inputs), outputs, options, settings))
        return outputs[0]

    def rename(self, tensor: int, name: str) -> None:
        self.net.tensors[tensor] = replace(self.net.tensors[tensor], name=name)


def kind_of(value: ir.Value) -> NumberType:
    """The type in the file of a value that is no quantized one."""
    if value.dtype not in _TYPES:
        raise UnsupportedModel(f"tensor {str(value.name)!r} has a type that is not written", got=value.dtype)
    return _TYPES[value.dtype]


def data(node: ir.Node, index: int = 0) -> ir.Value:
    """An input that must be there."""
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None:
        raise refused(node, f"it has no input {index}")
    return value


def refused(node: ir.Node, why: str, expected: str | None = None) -> UnsupportedModel:
    """The error that names a node which cannot be written."""
    return UnsupportedModel(
        f"{node.op_type} {node.name!r} cannot be written for LiteRT", got=why, expected=expected
    )


def only_reader(value: ir.Value) -> ir.Node | None:
    """The one node that reads a value which is no output of the graph."""
    readers = consumers(value)
    return readers[0] if len(readers) == 1 and not value.is_graph_output() else None


def fused_activation(node: ir.Node, low: Lowering) -> tuple[str, ir.Value]:
    """The activation that TFLite's operator takes in, and the value that it then writes."""
    output = node.outputs[0]
    reader = only_reader(output)
    name = activation_name(reader, low) if reader is not None else None
    if reader is None or name is None:
        return "NONE", output
    low.done.add(reader)
    return name, reader.outputs[0]


def activation_name(node: ir.Node, low: Lowering) -> str | None:
    """TFLite's name of a Relu or Clip; None for any other node and for other limits."""
    if node.op_type == "Relu":
        return "RELU"
    if node.op_type != "Clip":
        return None
    low_high = clip_limits(node, low)
    return {(0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1", (0.0, np.inf): "RELU"}.get(low_high)


def clip_limits(node: ir.Node, low: Lowering) -> tuple[float, float]:
    """The constant limits of a Clip; infinite ones where they are left out."""
    limits = []
    for index, default in ((1, -np.inf), (2, np.inf)):
        given = node.inputs[index] if len(node.inputs) > index else None
        array = low.constant(given)
        if given is not None and array is None:
            raise refused(node, "its limits are computed", "constant limits")
        limits.append(default if array is None else float(np.asarray(array).reshape(())))
    return limits[0], limits[1]


def int_attribute(node: ir.Node, name: str, default: int) -> int:
    return int(attribute(node, name, default))
