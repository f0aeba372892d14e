"""Choosing the grids: from what calibration saw to one grid for every group of tensors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.quantize.placement.plan import Plan
from paredown._compress.quantize.ranges.post_activation import UNHEARD, into_sigmoids, post_activation
from paredown.graph.walk import constant, consumers, output_axis, weight_of
from paredown.numerics.levels import fitted
from paredown.numerics.quant_params import (
    LIMIT_STEPS,
    QuantParams,
    affine_per_channel,
    binary,
    spanning,
    symmetric,
    weight_limits,
)
from paredown.numerics.ranges import METHODS, Seen, least_cubed_error

LOW_MARGIN = 0.25  # of a head channel's range, below what was seen: benchmarks/constants.py


def activation_params(
    graph: ir.Graph,
    plan: Plan,
    seen: dict[str, Seen],
    method: str,
    per_channel: bool,
    few: Mapping[str, int] | None = None,
) -> dict[str, QuantParams]:
    """The grid of every group, by group name. Merges the groups around a Concat where that costs less.

    few: group -> bits, for those that get less than 8.

    A sigmoid gate covers all of 0..1: clipping it would scale down the very largest products. What only the
    float tail reads covers its extremes, channel by channel where the runtime allows.
    """
    values = {str(v.name): v for v in (*graph.inputs, *(o for n in graph for o in n.outputs))}
    grids: dict[str, QuantParams] = {}
    squashed = into_sigmoids(graph, plan.heads)
    for group, members in plan.members().items():
        value, together = values[members[0]], pool([seen[m] for m in members])
        bits = (few or {}).get(group, 8)
        if members[0] in plan.heads:
            grids[group] = _head_grid(value, together, squashed[members[0]], per_channel, plan.signed)
        elif members[0] in plan.channelwise and per_channel:
            grids[group] = affine_per_channel(together.channel_low, together.channel_high, bits)
        elif len(members) == 1 and _is_gate(value):
            grids[group] = spanning(0.0, 1.0, bits, signed=plan.signed)
        else:
            after = post_activation(value) if len(members) == 1 else None
            by_error = partial(least_cubed_error, after=after, signed=plan.signed)
            choose = by_error if method == "mse" else METHODS[method]
            grids[group] = spanning(*choose(together, bits), bits, signed=plan.signed)
    _share_at_concats(plan, seen, grids)
    return grids


def weight_params(node: ir.Node, granularity: str, bits: int, even: bool = False) -> QuantParams:
    """The grid of a node's weight: per channel ("pc") or per tensor ("pt").

    Symmetric; in 4 bits of uneven levels, unless they are to be `even`.
    """
    weight = np.asarray(constant(weight_of(node)), np.float32)
    axis = output_axis(node) if granularity == "pc" else None
    if bits == 1:
        return binary(weight, axis)
    if bits == 4 and not even:
        return fitted(weight, axis, bits)
    return symmetric(weight_limits(weight, axis, bits, LIMIT_STEPS * (bits < 7)), bits, axis)


def pool(parts: list[Seen]) -> Seen:
    """What was seen of several tensors as if they were one, of one channel."""
    if len(parts) == 1:
        return parts[0]
    return Seen(
        np.concatenate([p.sample for p in parts]),
        np.zeros(sum(len(p.sample) for p in parts), np.int32),
        np.min([p.lows for p in parts], axis=0)[:, None],
        np.max([p.highs for p in parts], axis=0)[:, None],
    )


def _head_grid(
    value: ir.Value, seen: Seen, squashed: NDArray[np.bool_], per_channel: bool, signed: bool
) -> QuantParams:
    """Extremes, channel by channel, with room for a class that the calibration images do not show.

    Every channel was seen at its low end, where nothing is found; that end is what was seen and LOW_MARGIN of
    the range. At the high end a class never shown was never heard: it may answer as loudly as the loudest
    channel did for its weights, (t - b) / |w| with b the bias and |w| the norm of the channel's weights. No
    channel reaches beyond the extremes of the whole tensor; nor, where a sigmoid alone reads it, below
    `UNHEARD`: a class that is not there may answer -60, and steps for that are lost to the others.

    squashed: (C,), see `into_sigmoids`.
    """
    lowest = np.where(squashed, np.float32(max(UNHEARD, seen.low)), np.float32(seen.low))
    node = value.producer()
    if not per_channel or signed or node is None:
        return spanning(float(lowest.min()), seen.high, signed=signed)
    weight = np.asarray(constant(node.inputs[1]), np.float32)
    norm = np.maximum(np.linalg.norm(weight.reshape(len(weight), -1), axis=1), 1e-12)
    bias = np.zeros(len(norm), np.float32)
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        bias = np.asarray(constant(node.inputs[2]), np.float32)
    loudest = ((seen.channel_high - bias) / norm).max()
    low = seen.channel_low - LOW_MARGIN * (seen.channel_high - seen.channel_low)
    high = bias + norm * loudest
    return affine_per_channel(np.maximum(low, lowest), np.minimum(high, seen.high), axis=1)


def _is_gate(value: ir.Value) -> bool:
    producer = value.producer()
    return producer is not None and producer.op_type in ("Sigmoid", "HardSigmoid")


def _share_at_concats(plan: Plan, seen: dict[str, Seen], grids: dict[str, QuantParams]) -> None:
    """Give a Concat's inputs the output's grid where one rounding on it costs no more than two.

    Apart, a reader of the input sees its own error, a reader of the Concat sees that and the output's.
    Shared, both see the output grid's error alone: better when that is at most twice the input's own.
    """
    for node in plan.roles:
        if node.op_type != "Concat":
            continue
        out = plan.group[str(_written(node.outputs[0], plan).name)]
        for value in node.inputs:
            own = plan.group.get(str(value.name)) if value is not None else None
            if value is None or own is None or own == out:
                continue
            sample = pool([seen[m] for m in plan.members()[own]]).sample
            alone = len(consumers(value)) == 1 and len(plan.members()[own]) == 1
            if alone or _error(sample, grids[out]) <= 2 * _error(sample, grids[own]):
                plan.merge(own, out)
                del grids[own]


def _written(value: ir.Value, plan: Plan) -> ir.Value:
    """The tensor that exists on the device: the value, or what the activation absorbed behind it makes."""
    while str(value.name) not in plan.group:
        (reader,) = consumers(value)
        (value,) = reader.outputs
    return value


def _error(sample: np.ndarray, grid: QuantParams) -> float:
    return float(np.mean((grid.snap(sample) - sample) ** 2))
