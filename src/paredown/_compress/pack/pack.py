"""Storage in 4 and 2 bits that stock runtimes compute as INT8: the file shrinks, nothing else changes.

A weight whose integers fit into 4 bits is stored as INT4, two values a byte, and read through Cast(INT8) in
front of its DequantizeLinear. ONNX Runtime folds the Cast when the model is loaded, so the graph that runs is
the INT8 one (an INT4 weight straight in front of DequantizeLinear would be unpacked at every run). INT2 is
the same with four values a byte, where the runtime reads it.

A weight of at most 16 different integers that do not fit is stored as UINT4 indices of a table of them
(pack/table.py), which is folded just so; so are float constants of at most 256 different numbers, such as a
detector's grid of cells, with UINT8 indices. Inner tensors get short names (pack/names.py).

Source: ONNX operators Cast and DequantizeLinear, opset 21 (INT4) and 25 (INT2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import ml_dtypes
import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.draft import Draft
from paredown._compress.pack.names import shorten
from paredown._compress.pack.table import LARGEST, NARROW, initializer, read_from_table
from paredown._compress.quantize.writing.qdq import drop_unused
from paredown._compress.recipe import Context, Stage, Step
from paredown.errors import UnsupportedModel
from paredown.graph.prepare import convert_opset
from paredown.graph.run import open_session
from paredown.graph.walk import constant, to_ir
from paredown.measurement import StepRecord

WORTH = 512  # values: below, the Cast node takes about as many bytes as it saves

Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Width:
    """An ONNX integer type of few bits, and the versions of ONNX that know it."""

    bits: int
    dtype: ir.DataType
    opset: int
    ir_version: int

    def holds(self, integers: Integers) -> bool:
        """True where every integer fits."""
        half = 2 ** (self.bits - 1)
        return bool(integers.min() >= -half and integers.max() < half)


INT2 = Width(2, ir.DataType.INT2, 25, 13)
INT4 = Width(4, ir.DataType.INT4, 21, 10)
NUMPY = {2: ml_dtypes.int2, 4: ml_dtypes.int4}


@dataclass(frozen=True)
class Pack(Step):
    """pack: weights of at most 16 different integers are stored in 4 bits, those that fit into 2 in 2."""

    kind: ClassVar[str] = "pack"
    summary: ClassVar[str] = "weights of few values stored in 4 or 2 bits, turned into INT8 when loaded"
    requires: ClassVar[frozenset[Stage]] = frozenset({"few bits", "signs"})
    comes_behind: ClassVar[str] = "w4a8 or w2a8"

    def provides(self, stage: Stage) -> Stage:
        return "packed"


def apply(step: Pack, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """The same function in fewer bytes; a record for every weight."""
    weights = {str(n.name): array for n in draft.graph if (array := integers_of(n)) is not None}
    few = {n for n, array in weights.items() if INT4.holds(array) or len(np.unique(array)) <= NARROW}
    narrow = {n: array for n, array in weights.items() if n in few and array.size >= WORTH}
    if not narrow:
        why = "no weight of 16 integers or fewer: put this step behind w4a8 or w2a8"
        return (StepRecord(step.name, "", "skipped", why),)
    log: list[StepRecord] = []
    widest = INT4
    if any(INT2.holds(array) for array in narrow.values()):
        refusal = refused(INT2, context)
        widest = INT4 if refusal else INT2
        log += [StepRecord(step.name, "", "note", f"2-bit weights stored in 4: {refusal}")] if refusal else []
    model = draft.model = raise_opset(draft.model, widest)
    for node in [n for n in model.graph if str(n.name) in weights]:
        array, reader = weights[str(node.name)], str(next(iter(node.outputs[0].uses())).node.name)
        if str(node.name) not in narrow:
            why = f"fewer than {WORTH} values" if str(node.name) in few else "its integers need 8 bits"
            log.append(StepRecord(step.name, reader, "skipped", why))
            continue
        width = INT2 if widest is INT2 and INT2.holds(array) else INT4
        if width.holds(array):
            _store(model.graph, node, array, width)
        else:
            table, indices = np.unique(array, return_inverse=True)
            read_from_table(model.graph, node, 0, table, indices.reshape(array.shape))
        log.append(StepRecord(step.name, reader, "changed", f"weight stored in {width.bits} bits"))
    log += _store_constants(step, model.graph)
    saved = shorten(model.graph, {str(node.name) for node in to_ir(context.source).graph})
    why = f"inner tensors have short names, which saves {saved} bytes; the nodes of the source keep theirs"
    return (*log, StepRecord(step.name, "", "note", why))


def _store_constants(step: Pack, graph: ir.Graph) -> list[StepRecord]:
    """Float constants of few different numbers go into tables too, bit by bit as they were."""
    done = []
    for node in list(graph):
        for place, value in enumerate(node.inputs):
            array = constant(value)
            if value is None or array is None or array.dtype != np.float32 or array.size < WORTH:
                continue
            table, indices = np.unique(array.view(np.int32), return_inverse=True)
            others = [use for use in value.uses() if use.node is not node]
            if len(table) > LARGEST or any(use.node.graph is not graph for use in others):
                continue
            gather = read_from_table(graph, node, place, table.view(np.float32), indices.reshape(array.shape))
            for use in others:
                use.node.replace_input_with(use.idx, gather.outputs[0])
            why = f"constant of {len(table)} different numbers stored in a table"
            done.append(StepRecord(step.name, str(node.name), "changed", why))
    drop_unused(graph)
    return done


def integers_of(node: ir.Node) -> Integers | None:
    """The int8 weight that a DequantizeLinear reads, else None."""
    if node.op_type != "DequantizeLinear" or not node.outputs[0].uses():
        return None
    array = constant(node.inputs[0])
    return array.astype(np.int8) if array is not None and array.dtype == np.int8 else None


def raise_opset(model: ir.Model, width: Width) -> ir.Model:
    """The model at an opset that knows the width, without inner shapes: every loader infers them.

    Raises: UnsupportedModel with the converter's reason.
    """
    proto = convert_opset(ir.to_proto(model), width.opset)
    del proto.graph.value_info[:]
    proto.ir_version = max(proto.ir_version, width.ir_version)
    return ir.from_proto(proto)


def refused(width: Width, context: Context) -> str:
    """Why the runtime does not read this width, or "": asked by loading a graph of one Cast."""
    value = _packed("x", np.zeros((2, 2), np.int8), width)
    cast = _cast(value, "y", ir.DataType.INT8)
    add = ir.Node("", "Cast", [cast.outputs[0]], [ir.AttrInt64("to", ir.DataType.FLOAT)])
    add.outputs[0].name, add.outputs[0].type, add.outputs[0].shape = (
        "z",
        ir.TensorType(ir.DataType.FLOAT),
        value.shape,
    )
    graph = ir.Graph(
        [], add.outputs, nodes=[cast, add], initializers=[value], opset_imports={"": width.opset}
    )
    proto = ir.to_proto(ir.Model(graph, ir_version=width.ir_version))
    try:
        open_session(proto.SerializeToString(), context.threads)
    except UnsupportedModel as error:
        return str(error).splitlines()[0]
    return ""


def _store(graph: ir.Graph, node: ir.Node, array: Integers, width: Width) -> None:
    """Puts the packed array and a Cast in front of the node that reads the int8 one."""
    old = node.inputs[0]
    assert old is not None
    packed = _packed(f"{old.name}_int{width.bits}", array, width)
    graph.register_initializer(packed)
    cast = _cast(packed, str(old.name), ir.DataType.INT8)
    graph.insert_before(node, cast)
    node.replace_input_with(0, cast.outputs[0])
    if not old.uses():
        del graph.initializers[str(old.name)]


def _packed(name: str, array: Integers, width: Width) -> ir.Value:
    return initializer(name, array.astype(NUMPY[width.bits]), width.dtype)


def _cast(value: ir.Value, name: str, to: ir.DataType) -> ir.Node:
    node = ir.Node("", "Cast", [value], [ir.AttrInt64("to", to)], name=f"{name}_Cast")
    made = node.outputs[0]
    made.name, made.type, made.shape = name, ir.TensorType(to), value.shape
    return node
