"""From a model as exported to one that every other part can count on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import onnx
import onnx_ir as ir
from onnx import version_converter

from paredown.errors import ModelError, UnsupportedModel
from paredown.graph.budget import check_budget
from paredown.graph.folding import fold
from paredown.graph.load import from_proto, to_proto
from paredown.graph.notes import NOTES
from paredown.graph.run import random_feeds, run_once
from paredown.graph.subgraphs import all_tensors
from paredown.model import Model

MIN_OPSET = 13  # per-channel DequantizeLinear
AGREES, HALF_AGREES = (
    1e-3,
    3e-2,
)  # of the largest value of an output: sums in half precision depend on their order


def prepare(model: Model, input_size: tuple[int, int] | None = None) -> Model:
    """The same function in canonical form; the model given is not changed.

    Fixed input shapes (an open batch becomes 1, open height and width become `input_size`), opset >= 13,
    initializers lifted out of the inputs, constants folded, BatchNorm folded into the convolution before it,
    shapes on every tensor that ONNX's inference reaches (not behind operators of other domains, nor behind a
    Loop), a unique name on every node. The result is run beside the original on one
    random input and must agree.

    Raises:
        UnsupportedModel: an input dimension stays open, or an op that cannot be converted or run.
        ModelError: the prepared graph answers differently (a fault in the simplifier, not of the user).
    """
    proto = to_proto(model)
    _lift_initializers(proto)
    _fix_inputs(proto, input_size)
    check_budget(proto, model.name)
    named = from_proto(_name_nodes(proto), model.name)  # the runtime refuses two nodes of one name
    reference = replace(named, card=model.card)
    proto = _raise_opset(proto)
    proto = fold(proto)
    proto = _name_nodes(proto)
    prepared = replace(from_proto(proto, model.name), card=model.card)
    _verify(reference, prepared, HALF_AGREES if _has_half(model) else AGREES)
    return prepared


def frozen_sizes(model: Model, prepared: Model) -> str:
    """Which open inputs and dimensions were given which sizes, and how to say others; "" for none."""
    held = model.metadata.get(NOTES, "")
    changed = [(a, b) for a, b in zip(model.inputs, prepared.inputs, strict=False) if a.shape != b.shape]
    if not changed:
        return held
    resized = ", ".join(f"{a.name!r} {_spell(a.shape)} is now {_spell(b.shape)}" for a, b in changed)
    other = any(a.shape[1:] != b.shape[1:] for a, b in changed)
    how = "; for another size write size = [height, width] under [input] in the card" if other else ""
    fixed = f"open dimensions are fixed: input {resized}{how}"
    return f"{held}; {fixed}" if held else fixed


def _spell(shape: tuple[int | None, ...]) -> str:
    return "x".join("?" if d is None else str(d) for d in shape)


def convert_opset(proto: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """The proto at `opset` or later. Raises UnsupportedModel with the converter's reason."""
    if opset_of(proto) >= opset:
        return proto
    try:
        converted = version_converter.convert_version(proto, opset)
    except (RuntimeError, ValueError) as error:
        raise UnsupportedModel(
            f"the graph cannot be converted from opset {opset_of(proto)} to {opset}",
            got=str(error).splitlines()[0][:200],
            hint="export the model again with a newer opset",
        ) from error
    converted.metadata_props.extend(p for p in proto.metadata_props if not _has_prop(converted, p.key))
    return converted


def _has_prop(proto: onnx.ModelProto, key: str) -> bool:
    return any(p.key == key for p in proto.metadata_props)


def opset_of(proto: onnx.ModelProto) -> int:
    """The version of ONNX's own operators that the model names."""
    return max((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), default=1)


def _lift_initializers(proto: onnx.ModelProto) -> None:
    constants = {t.name for t in proto.graph.initializer}
    kept = [v for v in proto.graph.input if v.name not in constants]
    del proto.graph.input[:]
    proto.graph.input.extend(kept)
    proto.ir_version = max(proto.ir_version, 4)  # before 4 every initializer had to be an input


def _fix_inputs(proto: onnx.ModelProto, size: tuple[int, int] | None) -> None:
    for value in proto.graph.input:
        dims = value.type.tensor_type.shape.dim
        for axis, dim in enumerate(dims):
            if dim.HasField("dim_value") and dim.dim_value > 0:
                continue
            if axis == 0:
                dim.dim_value = 1
            elif size is not None and len(dims) == 4 and axis in (2, 3):
                dim.dim_value = size[axis - 2]
            else:
                raise UnsupportedModel(
                    f"input {value.name!r} leaves dimension {axis} open",
                    got=[d.dim_param or d.dim_value or "?" for d in dims],
                    expected="a fixed shape (only the batch may be open)",
                    hint="give the input size: [input] size = [height, width] in card.toml beside the model",
                )
    for value in proto.graph.output:  # inferred anew from the fixed inputs
        value.type.tensor_type.ClearField("shape")
    del proto.graph.value_info[:]


def _raise_opset(proto: onnx.ModelProto) -> onnx.ModelProto:
    return convert_opset(proto, MIN_OPSET)


def _name_nodes(proto: onnx.ModelProto) -> onnx.ModelProto:
    model = ir.from_proto(proto)
    names = Counter(node.name for node in model.graph)
    taken: set[str] = set()
    for index, node in enumerate(model.graph):
        wish, again = node.name or f"{node.op_type}_{index}", 0
        while wish in taken or (wish != node.name and names[wish]):  # also not one that stands further on
            wish, again = f"{node.op_type}_{index}_{again}" if again else f"{node.op_type}_{index}", again + 1
        node.name = wish
        taken.add(wish)
    return ir.to_proto(model)


def _has_half(model: Model) -> bool:
    half = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
    return any(t.data_type in half for t in all_tensors(to_proto(model)))


def _verify(reference: Model, prepared: Model, within: float) -> None:
    feeds = random_feeds(reference, seed=0)
    want, got = run_once(reference.data, feeds), run_once(prepared.data, feeds)
    for name, expected in want.items():
        if name not in got or got[name].shape != expected.shape:
            raise ModelError(f"preparing the graph changed output {name!r}", hint="please report this model")
        scale = float(np.abs(expected).max()) if expected.size else 0.0
        difference = expected.astype(np.float64) - got[name].astype(np.float64)
        error = float(np.abs(difference).max()) if expected.size else 0.0
        if error > within * max(scale, 1e-6):
            raise ModelError(
                f"preparing the graph changed output {name!r}",
                got=f"a difference of {error:.3g} where values reach {scale:.3g}",
                hint="please report this model",
            )
