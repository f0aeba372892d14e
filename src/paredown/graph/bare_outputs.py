"""Outputs that say no shape, as tools that cut graphs leave them: runtimes take such a file, ONNX's checker
does not. They get the shape that inference finds, else as many open axes as a run gives."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from paredown.errors import UnsupportedModel
from paredown.graph.run import run_once


def shape_outputs(proto: onnx.ModelProto) -> None:
    """Gives such outputs a shape; leaves them alone where the model does not run on zeros."""
    bare = [v for v in proto.graph.output if not v.type.tensor_type.HasField("shape") and _is_tensor(v)]
    if not bare:
        return
    known = {v.name: v for v in _inferred(proto).graph.output}
    left = [v for v in bare if not _take(v, known[v.name])]
    if left and (feeds := _zeros(proto)) is not None:
        try:
            answers = run_once(proto.SerializeToString(), feeds)
        except UnsupportedModel:  # the checker says what is wrong with the file
            return
        for value in left:
            rank = np.ndim(answers[value.name])
            _take(value, helper.make_tensor_value_info("", 1, [None] * rank))


def _is_tensor(value: onnx.ValueInfoProto) -> bool:
    return bool(value.type.HasField("tensor_type") and value.type.tensor_type.elem_type)


def _take(value: onnx.ValueInfoProto, other: onnx.ValueInfoProto) -> bool:
    """Whether the other has a shape, which the value takes."""
    if not other.type.tensor_type.HasField("shape"):
        return False
    value.type.tensor_type.shape.CopyFrom(other.type.tensor_type.shape)
    return True


def _inferred(proto: onnx.ModelProto) -> onnx.ModelProto:
    try:
        return onnx.shape_inference.infer_shapes(proto, data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError):
        return proto


def _zeros(proto: onnx.ModelProto) -> dict[str, np.ndarray] | None:
    """Zeros for every input; None where one is open or no tensor of numbers."""
    stored = {t.name for t in proto.graph.initializer}
    feeds = {}
    for value in (v for v in proto.graph.input if v.name not in stored):
        kind = value.type.tensor_type
        if not (_is_tensor(value) and all(d.dim_value > 0 for d in kind.shape.dim)):
            return None
        shape = [d.dim_value for d in kind.shape.dim]
        feeds[value.name] = np.zeros(shape, helper.tensor_dtype_to_np_dtype(kind.elem_type))
    return feeds
