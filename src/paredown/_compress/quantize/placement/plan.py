"""Where integers go: a policy of the runtime applied to a graph, never a list of names.

The body of a network is everything that a later convolution still depends on. Behind it stands the decode
tail (reshapes, the distribution-focal-loss integral, sigmoids, box arithmetic); it mixes pixels with
probabilities, costs next to nothing, and stays float. In the body each node takes the role that the policy
gives its op.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import onnx_ir as ir

from paredown._compress.quantize.placement.body import Parts, parts_of
from paredown._compress.quantize.placement.keep_float import KEPT, require_nodes
from paredown.errors import UnsupportedModel
from paredown.graph.walk import (
    WEIGHTED,
    attribute,
    constant,
    consumers,
    data_inputs,
    has_shape,
    is_depthwise,
    is_standard,
    shape_of,
    weight_of,
)
from paredown.policy import Policy

TAIL = "decode tail: no convolution depends on it"
OF_ANSWERS = "decode tail: a product of the answer itself; its weights may be stored in 8 bits"
POINTS = "it tells places, not features"
Role = Literal["kernel", "same", "absorbed", "fused"]


@dataclass
class Plan:
    """What becomes of every node and tensor.

    roles: node -> role, for nodes computed in integers. left: node -> why it stays float.
    group: tensor name -> name of the group of tensors that share one grid; only tensors that get a grid.
    heads: outputs of convolutions that only float nodes read; they may have a grid for every channel. Where
    kernels write real numbers: those that no later kernel depends on; they have no grid.
    channelwise: tensors that have a grid for every channel, for depthwise convolutions alone read them.
    sums: additions in float that read rounded what kernels read rounded.
    signed: grids are symmetric ones of int8. real: kernels write real numbers, and they alone read rounded
    ones. parts: of the graph as it was placed.
    """

    roles: dict[ir.Node, Role] = field(default_factory=dict)
    left: dict[ir.Node, str] = field(default_factory=dict)
    group: dict[str, str] = field(default_factory=dict)
    heads: set[str] = field(default_factory=set)
    channelwise: set[str] = field(default_factory=set)
    sums: set[ir.Node] = field(default_factory=set)
    signed: bool = False
    real: bool = False
    parts: Parts | None = None

    def merge(self, group: str, into: str) -> None:
        """Let two groups share one grid."""
        self.group = {tensor: into if g == group else g for tensor, g in self.group.items()}

    def members(self) -> dict[str, list[str]]:
        """Group name -> its tensors."""
        found: dict[str, list[str]] = {}
        for tensor, group in self.group.items():
            found.setdefault(group, []).append(tensor)
        return found


def place(
    graph: ir.Graph,
    policy: Policy,
    keep_float: tuple[str, ...] = (),
    released: Mapping[str, str] | None = None,
    parts: Parts | None = None,
) -> Plan:
    """The plan for a graph. released: node name -> why it was found to be better left float. parts: of a plan
    made before on the very same graph, whose search takes most of the time.

    Raises:
        UnsupportedModel: the runtime computes nothing in integers, or there is no convolution or matrix
            product with constant weights to quantize.
        UnknownName: a name in `keep_float` is no node of the graph.
    """
    if not policy.kernel:
        raise UnsupportedModel(
            f"{policy.name} computes nothing in integers here",
            hint="take a recipe that stays float, or another --runtime",
        )
    require_nodes({node.name for node in graph}, keep_float)
    wanted = {**(released or {}), **dict.fromkeys(keep_float, KEPT)}
    parts = parts or parts_of(graph)
    plan = Plan(signed=policy.activations == "int8", real=policy.writes_real, parts=parts)
    behind_weights: set[ir.Node] = set()
    for node in graph:
        if weight_of(node) or any(v.producer() in behind_weights for v in data_inputs(node)):
            behind_weights.add(node)
        tail = TAIL if node not in parts.body else POINTS if node in parts.pointers else ""
        tail = OF_ANSWERS if node in parts.late else tail
        why = wanted.get(str(node.name)) or tail or _why_not(node, policy, node in behind_weights)
        if why:
            plan.left[node] = why
        else:
            plan.roles[node] = _role(node, policy)
    _leave_scaled_gates(plan)
    _strand(plan)
    _group(plan)
    if policy.rounds_sums:
        plan.sums = {n for n in plan.left if n in parts.body and n.op_type == "Add" and n.name not in wanted}
    later = parts.body if plan.real else plan.roles
    plan.heads = {
        str(node.outputs[0].name)
        for node in plan.roles
        if node.op_type == "Conv" and not any(r in later for r in consumers(node.outputs[0]))
    }
    if policy.channelwise:
        plan.channelwise = _read_channel_by_channel(graph, plan)
    return plan


def _read_channel_by_channel(graph: ir.Graph, plan: Plan) -> set[str]:
    """Tensors on a grid of their own that only depthwise convolutions read, an output for every channel.

    None that a product writes: ONNX Runtime, which opens the file too, makes one kernel of a product and the
    Q right behind it, and that has one zero point.
    """
    members = plan.members()
    made = [n for n in graph if weight_of(n) is None]
    values = [o for n in made for o in n.outputs if len(members.get(str(o.name), ())) == 1]
    return {str(v.name) for v in values if all(r in plan.roles and _one_by_one(r) for r in consumers(v))}


def _one_by_one(node: ir.Node) -> bool:
    """A depthwise convolution with one output for every channel."""
    weight = weight_of(node)
    return weight is not None and is_depthwise(node) and shape_of(weight)[0] == attribute(node, "group", 1)


def _role(node: ir.Node, policy: Policy) -> Role:
    if node.op_type in policy.kernel:
        return "kernel"
    if node.op_type in policy.fused:
        return "fused"
    return "same" if node.op_type in policy.same else "absorbed"


def _why_not(node: ir.Node, policy: Policy, behind_weights: bool) -> str:
    """Why a body node cannot be computed in integers, or ""."""
    op = node.op_type
    if not is_standard(node):
        return f"operator {op} of domain {node.domain} is not known to {policy.name}'s integer kernels"
    if op not in policy.kernel | policy.same | policy.absorbed | policy.fused:
        return f"{policy.name} has no integer kernel for {op}"
    if why := unreadable(node):
        return why
    if op in WEIGHTED and weight_of(node) is None:
        return f"{op} of two computed tensors"
    if op in WEIGHTED and any(v is not None and v.const_value is None for v in node.inputs[2:]):
        return f"{op} whose bias is computed"
    if op == "Gemm" and any(attribute(node, name, 1.0) != 1.0 for name in ("alpha", "beta")):
        return "Gemm with alpha or beta other than 1"
    if op in ("Add", "Mul") and len(data_inputs(node)) == 1 and not behind_weights:
        return "input normalisation in front of the first convolution"
    if op == "Resize" and node.attributes.get("mode") and node.attributes["mode"].value != "nearest":
        return "interpolating Resize computes new values"
    if op == "Pad" and not _pads_zeros(node):
        return "Pad with other values than zero"
    if op in policy.absorbed and not _clips_at_zero_or_wider(node):
        return f"{op} whose limits do not contain zero"
    return ""


def unreadable(node: ir.Node) -> str:
    """Why ranges of what a node reads and gives cannot be watched, or ""."""
    tensors = [v for v in (*data_inputs(node), *node.outputs) if v.name]
    if lost := next((v for v in tensors if not has_shape(v)), None):
        return f"no shape is known of {str(lost.name)!r}"
    other = next((v.dtype for v in tensors if v.dtype not in (ir.DataType.FLOAT, None)), None)
    return "" if other is None else f"it computes with {other.name}, not with float32"


def _pads_zeros(node: ir.Node) -> bool:
    mode = node.attributes.get("mode")
    value = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    return (mode is None or mode.value == "constant") and (value is None or bool(np.all(value == 0)))


def _clips_at_zero_or_wider(node: ir.Node) -> bool:
    """Grids contain zero, so a Clip can only be absorbed when zero lies within its limits."""
    if node.op_type == "Relu":
        return True
    # Exporters also write limits of shape (1,), which runtimes take.
    low, high = (constant(node.inputs[i]) if len(node.inputs) > i else None for i in (1, 2))
    above = low is not None and np.any(np.greater(low, 0))
    below = high is not None and np.any(np.less(high, 0))
    return not (above or below)


def _leave_scaled_gates(plan: Plan) -> None:
    """Leave float the products with a constant that only float nodes read: rounded, they gained nothing."""
    for node, role in list(plan.roles.items()):
        readers = consumers(node.outputs[0])
        scales = node.op_type == "Mul" and role == "kernel" and len(data_inputs(node)) == 1
        if scales and readers and all(reader in plan.left for reader in readers):
            plan.left[node] = "only what is computed in float reads it"
            del plan.roles[node]


def _float_gate(product: ir.Node, value: ir.Value | None, plan: Plan) -> bool:
    """True for a factor computed in float of what the product reads beside it.

    That is a real number there anyway, so the product is computed of real numbers and rounded once.
    """
    gate = None if value is None else value.producer()
    if product.op_type != "Mul" or gate not in plan.left:
        return False
    read = data_inputs(gate)
    for node in [v.producer() for v in read]:
        read += data_inputs(node) if node in plan.left and node.op_type == "Mul" else []
    return any(v is not value and v in read for v in data_inputs(product))


def _strand(plan: Plan) -> None:
    """Leave float what would only be wrapped in conversions: nodes that no integer result reaches."""
    changed = True
    while changed:
        changed = False
        for node, role in list(plan.roles.items()):
            if weight_of(node) is not None:
                continue
            around = [v.producer() for v in data_inputs(node)]
            alone = role in ("absorbed", "fused")  # on an input of the graph
            integer = [p in plan.roles or (p is None and not alone) for p in around]
            if all(integer) or (role in ("kernel", "fused") and any(integer)):
                continue
            plan.left[node] = "what it reads is computed in float"
            del plan.roles[node]
            changed = True


def _group(plan: Plan) -> None:
    parent: dict[str, str] = {}

    def find(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for node, role in plan.roles.items():
        if role == "fused":
            continue
        inputs = [node.inputs[0]] if role == "same" and node.op_type != "Concat" else data_inputs(node)
        for value in inputs:
            if value is not None and not (_absorbed_next(value, plan) or _float_gate(node, value, plan)):
                find(str(value.name))
        for value in () if role == "kernel" and plan.real else node.outputs:
            if not _absorbed_next(value, plan):
                find(str(value.name))
                for moved in inputs if role == "same" else ():
                    if moved is not None:
                        parent[find(str(value.name))] = find(str(moved.name))
    plan.group = {name: find(name) for name in parent}


def _absorbed_next(value: ir.Value, plan: Plan) -> bool:
    """True for a tensor that only an absorbed node reads: it never exists on the device."""
    uses = [use.node for use in value.uses()]
    return len(uses) == 1 and plan.roles.get(uses[0]) == "absorbed" and not value.is_graph_output()
