"""Roundings that change nothing, taken out of a Q/DQ graph.

ONNX Runtime wants a QuantizeLinear behind every operator that is to move integers. Behind one that only moves
values of the same scale and zero point it rounds what is rounded: other runtimes move integers without it,
and would execute it.
"""

from __future__ import annotations

import onnx

MOVES = frozenset(
    [
        *("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Split", "Slice", "Gather", "Identity"),
        *("MaxPool", "Resize", "Concat"),
    ]
)


def without_repeats(model: onnx.ModelProto) -> int:
    """Removes them from the model, which answers the same; how many there were.

    Values count as on the same grid where scale and zero point are the same constants.
    """
    graph = model.graph
    made_by = {name: node for node in graph.node for name in node.output}
    outputs = {o.name for o in graph.output}
    stored = {t.name for t in graph.initializer}
    renamed: dict[str, str] = {}
    gone: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type != "DequantizeLinear" or node.output[0] in outputs:
            continue
        quantize = made_by.get(node.input[0])
        if quantize is None or quantize.op_type != "QuantizeLinear" or node.input[1:] != quantize.input[1:]:
            continue
        mover = made_by.get(quantize.input[0])
        grid = tuple(node.input[1:])
        if mover is not None and stored.issuperset(grid) and _only_moves(mover, grid, made_by, stored):
            renamed[node.output[0]] = quantize.input[0]
            gone.append(node)
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    _drop(graph, gone)
    return len(gone)


def _only_moves(
    node: onnx.NodeProto, grid: tuple[str, ...], made_by: dict[str, onnx.NodeProto], stored: set[str]
) -> bool:
    """Whether all that the node moves comes from a DequantizeLinear of that grid, or was moved from one."""
    if node.op_type not in MOVES or not _takes_whole_values(node):
        return False
    moved = node.input if node.op_type == "Concat" else node.input[:1]
    return all(_on_grid(name, grid, made_by, stored) for name in moved)


def _on_grid(name: str, grid: tuple[str, ...], made_by: dict[str, onnx.NodeProto], stored: set[str]) -> bool:
    maker = made_by.get(name)
    if maker is None:
        return False
    if maker.op_type == "DequantizeLinear":
        return tuple(maker.input[1:]) == grid and maker.input[0] not in stored
    return _only_moves(maker, grid, made_by, stored)


def _takes_whole_values(node: onnx.NodeProto) -> bool:
    """False for a Resize that computes values between others."""
    mode = next((a.s for a in node.attribute if a.name == "mode"), b"nearest")
    return node.op_type != "Resize" or mode == b"nearest"


def _drop(graph: onnx.GraphProto, gone: list[onnx.NodeProto]) -> None:
    """These nodes, and every QuantizeLinear that nothing reads any more."""
    names = {node.output[0] for node in gone}
    read = {name for node in graph.node if node.output[0] not in names for name in node.input}
    read |= {o.name for o in graph.output}
    kept = [
        node
        for node in graph.node
        if node.output[0] not in names and (node.op_type != "QuantizeLinear" or node.output[0] in read)
    ]
    del graph.node[:]
    graph.node.extend(kept)
