"""Which numbers a model computes with: float32, half precision, or integers that somebody quantized to.

Every recipe starts from float32 (`graph.single` makes it): ranges, scales and biases are found from it. A
file that is quantized already is recognised by its operators, of ONNX or of ONNX Runtime, never by its name
or metadata.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import onnx

from paredown.errors import UnsupportedModel
from paredown.graph.load import to_proto
from paredown.graph.subgraphs import all_graphs, all_nodes
from paredown.model import Model

_INTEGER_OPS = frozenset(
    [
        *("ConvInteger", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"),
        *("MatMulNBits", "MatMulBnb4", "MatMulFpQ4", "GatherBlockQuantized", "QGemm", "QAttention", "QMoE"),
        *("DynamicQuantizeLSTM", "QEmbedLayerNormalization", "QOrderedMatMul", "QOrderedAttention"),
    ]
)
_WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_QLINEAR_LAYERS = frozenset({"QLinearConv", "QLinearMatMul"})
_SINGLE = frozenset({onnx.TensorProto.FLOAT})
HALF = frozenset({onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16})
DOUBLE = frozenset({onnx.TensorProto.DOUBLE})


def quantized_ops(model: Model | onnx.ModelProto) -> dict[str, int]:
    """Op type -> count of the nodes that say a model is quantized, most frequent first; empty: it is not.

    Integer kernels count, and DequantizeLinear of stored weights or behind a QuantizeLinear. Where an integer
    input becomes real, or an answer an integer, nothing is quantized yet.
    """
    proto = model if isinstance(model, onnx.ModelProto) else to_proto(model)
    made_by = {name: node for node in all_nodes(proto) for name in node.output}
    stored = {t.name for graph in all_graphs(proto) for t in graph.initializer}
    counts: Counter[str] = Counter()
    for node in all_nodes(proto):
        if (
            node.op_type in _INTEGER_OPS
            or node.op_type.startswith("QLinear")
            or (node.op_type == "DequantizeLinear" and _inside(node.input[0], made_by, stored))
        ):
            counts[node.op_type] += 1
    return dict(counts.most_common())


def _inside(tensor: str, made_by: Mapping[str, onnx.NodeProto], stored: set[str]) -> bool:
    """Whether integers are stored in the file or come from a QuantizeLinear, values moved or not."""
    while tensor in made_by:
        node = made_by[tensor]
        if node.op_type in ("Constant", "QuantizeLinear", "DynamicQuantizeLinear"):
            return True
        if not node.input or node.op_type in ("DequantizeLinear", "Quantize"):
            return False
        tensor = node.input[0]
    return tensor in stored


def require_float(model: Model) -> None:
    """Nothing, where a step can start from the model. Raises UnsupportedModel: quantized already, or the
    layers compute in half or double precision."""
    require_unquantized(model)
    if layers := [*layers_in(to_proto(model), HALF | DOUBLE)]:
        raise UnsupportedModel(
            "the weights are in half or double precision",
            got=f"{len(layers)} layers, {layers[0]!r} first",
            expected="float32: scales and biases are found from it",
            hint="`graph.single.as_float` gives that model, as `compress` and `run` do",
        )


def require_unquantized(model: Model) -> None:
    """Nothing, where the model is not quantized yet. Raises UnsupportedModel."""
    proto = to_proto(model)
    if found := quantized_ops(proto):
        raise UnsupportedModel(
            f"this model is already quantized ({spelled(found)}){_in_part(proto)}",
            expected="the float32 model that it was made from",
            hint="give the float original; --dequantize starts from this file's own numbers, as floats; it "
            "can be measured, compared and packed as it is",
        )


def spelled(counts: Mapping[str, int]) -> str:
    """ "19 QLinearConv, 9 QLinearAdd"."""
    return ", ".join(f"{number} {op}" for op, number in counts.items())


def _in_part(proto: onnx.ModelProto) -> str:
    """How many layers have stored float weights all the same, in words; "" for none."""
    layers = [n for n in all_nodes(proto) if n.op_type in _WEIGHTED | _INTEGER_OPS | _QLINEAR_LAYERS]
    stored = {t.name for g in all_graphs(proto) for t in g.initializer if t.data_type in _SINGLE}
    constants = [n for n in all_nodes(proto) if n.op_type == "Constant"]
    stored |= {n.output[0] for n in constants for a in n.attribute if a.t.data_type in _SINGLE}
    floats = sum(n.op_type in _WEIGHTED and n.input[1] in stored for n in layers if len(n.input) > 1)
    return f", in part: {floats} of {len(layers)} layers have float weights" if floats else ""


def layers_in(proto: onnx.ModelProto, types: frozenset[int]) -> Iterator[str]:
    """The names of the layers whose weights are of such a type."""
    kinds = {t.name: t.data_type for graph in all_graphs(proto) for t in graph.initializer}
    for node in all_nodes(proto):
        tensors = [a.t for a in node.attribute if a.name == "value" and node.op_type == "Constant"]
        kinds |= {name: t.data_type for t in tensors for name in node.output}
    for graph in all_graphs(proto):
        values = (*graph.value_info, *graph.input, *graph.output)
        kinds |= {v.name: v.type.tensor_type.elem_type for v in values if v.type.HasField("tensor_type")}
    for node in all_nodes(proto):
        if node.op_type in _WEIGHTED and len(node.input) > 1 and kinds.get(node.input[1]) in types:
            yield node.name or node.output[0]
