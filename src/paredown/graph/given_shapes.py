"""Input shapes as the user says them: `--input 1x3x640x640`, `--input state=1x16x40x40`."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from paredown.errors import UnknownName, UsageError
from paredown.graph.image_input import likeliest_image
from paredown.graph.load import from_proto, to_proto
from paredown.graph.notes import add_note
from paredown.model import Model, TensorSpec


def with_shapes(model: Model, said: Sequence[str]) -> Model:
    """The model with its open dimensions as said: SHAPE for the input that takes the image, NAME=SHAPE for
    any. A batch that is fixed may become another, for images go in one by one.

    Raises UsageError where that is no shape, or contradicts the model; UnknownName for an input it has not.
    """
    if not said:
        return model
    shapes = dict(_read(text, model.inputs) for text in said)
    proto = to_proto(model)
    before = {v.name: _batch(v) for v in proto.graph.input if v.name in shapes}
    for name, old in before.items():
        if old not in (None, shapes[name][0]):
            _rebatch(proto.graph, int(old or 1), shapes[name][0])
    for value in proto.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, ()), strict=False):
            dim.dim_value = size
    fixed = [f"{name!r} is {'x'.join(map(str, shape))}" for name, shape in shapes.items()]
    for value in proto.graph.output:
        for dim in value.type.tensor_type.shape.dim:
            dim.Clear()
    del proto.graph.value_info[:]
    add_note(proto, f"as --input says, {', '.join(fixed)}")
    made = from_proto(onnx.shape_inference.infer_shapes(proto, data_prop=True), model.name)
    return made if model.card is None else made.with_card(model.card)


def _batch(value: onnx.ValueInfoProto) -> int | None:
    dims = value.type.tensor_type.shape.dim
    return dims[0].dim_value or None if dims else None


def _rebatch(graph: onnx.GraphProto, old: int, new: int) -> None:
    """Stored shapes of Reshape and Expand that begin with the old batch begin with the new one: an exporter
    wrote it there. A graph in which it stands elsewhere does not run then, and is refused for that."""
    stored = {t.name: t for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            stored[node.output[0]] = node.attribute[0].t
    for name in {n.input[1] for n in graph.node if n.op_type in ("Reshape", "Expand") and len(n.input) > 1}:
        shape = numpy_helper.to_array(stored[name]).copy() if name in stored else np.zeros(0, np.int64)
        if shape.size and shape[0] == old:
            shape[0] = new
            kept = stored[name].name
            stored[name].CopyFrom(numpy_helper.from_array(shape, kept))


def _read(text: str, inputs: Sequence[TensorSpec]) -> tuple[str, tuple[int, ...]]:
    """The name of an input and its shape."""
    name, _, spelled = text.rpartition("=")
    if not re.fullmatch(r"[1-9]\d{0,8}(x[1-9]\d{0,8})*", spelled):
        raise UsageError(
            "--input takes a shape",
            got=repr(text),
            expected="1x3x640x640, or NAME=1x3x640x640 for one of several",
        )
    shape = tuple(int(d) for d in spelled.split("x"))
    by_name = {spec.name: spec for spec in inputs}
    if name and name not in by_name:
        raise UnknownName("input", name, by_name)
    spec = by_name[name] if name else _meant(inputs, shape)
    fits = len(shape) == len(spec.shape) and all(
        own in (None, new) for own, new in zip(spec.shape[1:], shape[1:], strict=True)
    )
    if not fits:
        raise UsageError(
            f"--input {text} does not fit the model",
            got="x".join(map(str, shape)),
            expected=f"{spec}: only what is ?, and the batch, can be said",
        )
    return spec.name, shape


def _meant(inputs: Sequence[TensorSpec], shape: Sequence[int]) -> TensorSpec:
    """The input that a shape without a name is of."""
    found = likeliest_image(inputs) or next((s for s in inputs if len(s.shape) == len(shape)), None)
    if found is None:
        raise UsageError(
            "--input does not say which input it is of",
            got="x".join(map(str, shape)),
            expected=f"NAME=SHAPE for one of {', '.join(map(str, inputs)) or 'none'}",
        )
    return found
