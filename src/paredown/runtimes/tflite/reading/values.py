"""Operators of TFLite that compute value by value, and reductions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from onnx import TensorProto

from paredown.errors import UnsupportedModel
from paredown.runtimes.tflite.reading.layers import BOUNDS, Lift, activated
from paredown.runtimes.tflite.reading.lifting import Lifting


def _unary(onnx_op: str, low: Lifting, op: Any, code: str) -> None:
    low.put(int(op.outputs[0]), low.node(onnx_op, low.value(int(op.inputs[0]))))


def _same(low: Lifting, op: Any, code: str) -> None:
    """Another type or grid of the same real numbers."""
    source, made = int(op.inputs[0]), int(op.outputs[0])
    if source in low.constants:
        low.constants[made] = low.constants[source]
    else:
        low.put(made, low.value(source))


def _binary(onnx_op: str, low: Lifting, op: Any, code: str) -> None:
    a, b, made = int(op.inputs[0]), int(op.inputs[1]), int(op.outputs[0])
    rank = max(low.rank(a), low.rank(b))
    value = low.node(onnx_op, low.broadcast(a, rank), low.broadcast(b, rank))
    low.put(made, activated(low, value, getattr(op.builtinOptions, "fusedActivationFunction", 0) or 0, code))


def _clip(low: Lifting, op: Any, code: str) -> None:
    value = low.node("Clip", low.value(int(op.inputs[0])), *(low.scalar(v) for v in BOUNDS[code]))
    low.put(int(op.outputs[0]), value)


def _softmax(onnx_op: str, low: Lifting, op: Any, code: str) -> None:
    x = int(op.inputs[0])
    value, beta = low.value(x), float(getattr(op.builtinOptions, "beta", 1.0) or 1.0)
    value = value if beta == 1.0 else low.node("Mul", value, low.scalar(beta))
    low.put(int(op.outputs[0]), low.node(onnx_op, value, axis=low.axis(x, -1)))


def _leaky(low: Lifting, op: Any, code: str) -> None:
    low.put(
        int(op.outputs[0]), low.node("LeakyRelu", low.value(int(op.inputs[0])), alpha=op.builtinOptions.alpha)
    )


def _prelu(low: Lifting, op: Any, code: str) -> None:
    x = int(op.inputs[0])
    low.put(
        int(op.outputs[0]), low.node("PRelu", low.value(x), low.broadcast(int(op.inputs[1]), low.rank(x)))
    )


def _gelu(low: Lifting, op: Any, code: str) -> None:
    """x Phi(x), by erf or, where the file says so, by tanh."""
    x = low.value(int(op.inputs[0]))
    if op.builtinOptions.approximate:
        cubed = low.node("Mul", low.node("Pow", x, low.scalar(3.0)), low.scalar(0.044715))
        inner = low.node("Mul", low.node("Add", x, cubed), low.scalar(math.sqrt(2 / math.pi)))
        gate = low.node("Tanh", inner)
    else:
        gate = low.node("Erf", low.node("Mul", x, low.scalar(math.sqrt(0.5))))
    half = low.node("Mul", x, low.scalar(0.5))
    low.put(int(op.outputs[0]), low.node("Mul", half, low.node("Add", gate, low.scalar(1.0))))


def _rsqrt(low: Lifting, op: Any, code: str) -> None:
    low.put(int(op.outputs[0]), low.node("Reciprocal", low.node("Sqrt", low.value(int(op.inputs[0])))))


def _square(low: Lifting, op: Any, code: str) -> None:
    x = low.value(int(op.inputs[0]))
    low.put(int(op.outputs[0]), low.node("Mul", x, x))


def _squared_difference(low: Lifting, op: Any, code: str) -> None:
    a, b = int(op.inputs[0]), int(op.inputs[1])
    rank = max(low.rank(a), low.rank(b))
    apart = low.node("Sub", low.broadcast(a, rank), low.broadcast(b, rank))
    low.put(int(op.outputs[0]), low.node("Mul", apart, apart))


def _reduce(onnx_op: str, low: Lifting, op: Any, code: str) -> None:
    x, made = int(op.inputs[0]), int(op.outputs[0])
    axes = sorted(low.axis(x, int(a)) for a in np.ravel(low.numbers(int(op.inputs[1]), code)))
    keep = low.rank(made) == low.rank(x)
    if keep or low.rank(x) != 4:
        value = _reduced(onnx_op, low, low.value(x), axes, keep)
        low.put(made, value) if keep else low.put_own_order(made, value)
        return
    own = sorted(int(a) % 4 for a in np.ravel(low.numbers(int(op.inputs[1]), code)))
    low.put_own_order(made, _reduced(onnx_op, low, low.own_order(x), own, keep))


def _reduced(onnx_op: str, low: Lifting, value: str, axes: list[int], keep: bool) -> str:
    if onnx_op == "ReduceSum":  # in opset 17 the one that takes its axes as a tensor
        return low.node(onnx_op, value, low.ints(axes), keepdims=int(keep))
    return low.node(onnx_op, value, axes=axes, keepdims=int(keep))


def _arg_max(low: Lifting, op: Any, code: str) -> None:
    x, made = int(op.inputs[0]), int(op.outputs[0])
    axis = int(np.ravel(low.numbers(int(op.inputs[1]), code))[0]) % low.rank(x)
    low.put_own_order(made, low.node("ArgMax", low.own_order(x), axis=axis, keepdims=0))


_KINDS = {
    0: TensorProto.FLOAT,
    1: TensorProto.FLOAT,
    2: TensorProto.INT32,
    4: TensorProto.INT64,
    6: TensorProto.BOOL,
}


def _cast(low: Lifting, op: Any, code: str) -> None:
    wanted = int(op.builtinOptions.outDataType) if op.builtinOptions else 0
    if wanted not in _KINDS:
        raise UnsupportedModel(
            "a CAST to integers of few bits cuts values that this would keep",
            got=f"type {wanted} of TFLite's schema",
            expected="FLOAT32, FLOAT16, INT32, INT64 or BOOL",
        )
    low.put(int(op.outputs[0]), low.node("Cast", low.value(int(op.inputs[0])), to=_KINDS[wanted]))


def _select(low: Lifting, op: Any, code: str) -> None:
    parts = [int(i) for i in op.inputs]
    rank = max(low.rank(p) for p in parts)
    if code == "SELECT" and low.rank(parts[0]) == 1 < rank:
        raise UnsupportedModel("a SELECT by rows is not read", got=f"a condition of rank 1 for rank {rank}")
    low.put(int(op.outputs[0]), low.node("Where", *(low.broadcast(p, rank) for p in parts)))


def _top_k(low: Lifting, op: Any, code: str) -> None:
    value = low.own_order(int(op.inputs[0]))
    k = int(np.ravel(low.numbers(int(op.inputs[1]), code))[0])
    best = low.node("TopK", value, low.ints([k]), outputs=2, axis=-1)
    low.put_own_order(int(op.outputs[0]), best)
    low.put_own_order(int(op.outputs[1]), f"{best}_1")


_UNARY = {
    **{"RELU": "Relu", "LOGISTIC": "Sigmoid", "TANH": "Tanh", "HARD_SWISH": "HardSwish", "ELU": "Elu"},
    **{"EXP": "Exp", "LOG": "Log", "SQRT": "Sqrt", "ABS": "Abs", "NEG": "Neg", "FLOOR": "Floor"},
    **{"CEIL": "Ceil", "ROUND": "Round", "SIN": "Sin", "COS": "Cos", "LOGICAL_NOT": "Not"},
}
_BINARY = {
    **{
        "ADD": "Add",
        "SUB": "Sub",
        "MUL": "Mul",
        "DIV": "Div",
        "MAXIMUM": "Max",
        "MINIMUM": "Min",
        "POW": "Pow",
    },
    **{"GREATER": "Greater", "GREATER_EQUAL": "GreaterOrEqual", "LESS": "Less", "LESS_EQUAL": "LessOrEqual"},
    **{"EQUAL": "Equal", "LOGICAL_AND": "And", "LOGICAL_OR": "Or"},
}
_REDUCE = {"MEAN": "ReduceMean", "SUM": "ReduceSum", "REDUCE_MAX": "ReduceMax", "REDUCE_MIN": "ReduceMin"}
VALUES: Mapping[str, Lift] = {
    **{code: partial(_unary, name) for code, name in _UNARY.items()},
    **{code: partial(_binary, name) for code, name in _BINARY.items()},
    **{code: partial(_reduce, name) for code, name in _REDUCE.items()},
    **dict.fromkeys(BOUNDS, _clip),
    **dict.fromkeys(("QUANTIZE", "DEQUANTIZE"), _same),
    "SOFTMAX": partial(_softmax, "Softmax"),
    "LOG_SOFTMAX": partial(_softmax, "LogSoftmax"),
    "LEAKY_RELU": _leaky,
    "PRELU": _prelu,
    "GELU": _gelu,
    "RSQRT": _rsqrt,
    "SQUARE": _square,
    "SQUARED_DIFFERENCE": _squared_difference,
    "ARG_MAX": _arg_max,
    "CAST": _cast,
    "SELECT": _select,
    "SELECT_V2": _select,
    "TOPK_V2": _top_k,
}
