"""What every node costs in float and in integers, and what it costs to go from one to the other.

Three graphs are timed in turns, node by node, by the runtime they are made for: the float one, the one in
integers, and one whose layers are float and integer in alternation. The third says what a border costs:
whatever its time exceeds the sum of its nodes by, spread over the values that change their form there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from paredown._compress.quantize.placement.plan import Plan
from paredown.graph.walk import consumers, shape_of
from paredown.measurement import StepRecord
from paredown.protocols import NodeTimes

CROWDED = 0.2  # of all cores: where others use more while something is timed, it says little of the processor


@dataclass(frozen=True)
class Costs:
    """Seconds by node name, in float and in integers; seconds for every value that changes its form.

    unmapped: the share of the time that belongs to no node.
    """

    float_s: Mapping[str, float]
    integer_s: Mapping[str, float]
    border_s: float
    unmapped: float

    def nodes_s(self, graph: ir.Graph, plan: Plan) -> float:
        """The sum over the nodes, borders left out."""
        return sum(self.node_s(str(n.name), n in plan.roles) for n in graph)

    def node_s(self, name: str, integer: bool) -> float:
        return (self.integer_s if integer else self.float_s).get(name, 0.0)

    def latency_s(self, graph: ir.Graph, plan: Plan) -> float:
        """One inference under the plan: estimated from what was measured."""
        return self.nodes_s(graph, plan) + self.border_s * changing(graph, plan)


def costs_from(
    floats: NodeTimes, integers: NodeTimes, alternating: NodeTimes, graph: ir.Graph, mixed: Plan
) -> Costs:
    """The costs behind three timings. mixed: the plan of the alternating graph."""
    total = floats.total_s + integers.total_s + alternating.total_s
    unmapped = (floats.unmapped_s + integers.unmapped_s + alternating.unmapped_s) / max(total, 1e-12)
    known = Costs(floats.seconds, integers.seconds, 0.0, unmapped)
    excess = alternating.total_s - known.nodes_s(graph, mixed)
    return Costs(
        floats.seconds, integers.seconds, max(excess, 0.0) / max(changing(graph, mixed), 1), unmapped
    )


def justified(
    log: Sequence[StepRecord], released: Collection[str], floats: NodeTimes, integers: NodeTimes
) -> tuple[StepRecord, ...]:
    """The log with what each released node costs in float and would cost in integers; their sum in front."""

    def with_times(record: StepRecord) -> StepRecord:
        if record.where not in released:
            return record
        ms = [1e3 * times.seconds.get(record.where, 0.0) for times in (floats, integers)]
        why = f"{record.why}; {ms[0]:.3f} ms in float, {ms[1]:.3f} ms in integers"
        return replace(record, why=why, data={**record.data, "float_ms": ms[0], "int8_ms": ms[1]})

    timed = [with_times(record) for record in log]
    sums = {
        key: sum(float(str(r.data[key])) for r in timed if key in r.data) for key in ("float_ms", "int8_ms")
    }
    why = (
        f"what was released takes {sums['float_ms']:.3f} ms of {1e3 * floats.total_s:.2f} ms in float, "
        f"and would take {sums['int8_ms']:.3f} ms of {1e3 * integers.total_s:.2f} ms in integers"
    )
    return (StepRecord(log[0].step, "", "note", why, sums), *timed)


def changing(graph: ir.Graph, plan: Plan) -> int:
    """How many values of one inference are quantized or dequantized."""
    count = 0
    for value in (*graph.inputs, *(o for n in graph for o in n.outputs)):
        if str(value.name) not in plan.group:
            continue
        size = int(np.prod(shape_of(value)))
        from_float = value.producer() is None or value.producer() not in plan.roles
        to_float = value.is_graph_output() or any(r not in plan.roles for r in consumers(value))
        count += size * (from_float + to_float)
    return count
