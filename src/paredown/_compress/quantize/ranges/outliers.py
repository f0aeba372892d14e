"""Channels that stand out: tensors in which some are far louder than the typical one, and what was done.

One grid over such a tensor is stretched by a few channels, and the others are left a part of its steps. The
log carries, at the node that makes the tensor, how many times louder the loudest channel is, and how many
steps of the grid a typical channel covers.

Shapes: C channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.quantize.placement.plan import Plan
from paredown._compress.quantize.writing.qdq import float_name
from paredown.measurement import StepRecord
from paredown.numerics.quant_params import QuantParams
from paredown.numerics.ranges import Seen

LOUD = 4.0  # times the typical channel: the typical one has lost two bits of eight
WHOLE = 0.98  # of the extremes: a range that wide clips next to nothing


def stands_out(loudness: NDArray[np.floating]) -> float:
    """The loudest of channels over the median of those not silent; 1 where all are. loudness: (C,)."""
    heard = loudness[loudness > 0]
    return float(heard.max() / np.median(heard)) if len(heard) else 1.0


def loudness_of(seen: Seen) -> NDArray[np.float32]:
    """(C,) the largest absolute value of each channel."""
    return np.maximum(np.abs(seen.channel_low), np.abs(seen.channel_high))


@dataclass(frozen=True)
class WrittenParams:
    """What became of the tensors: the plan and the grids as written, and the grids as calibrated."""

    plan: Plan
    written: Mapping[str, QuantParams]
    calibrated: Mapping[str, QuantParams]  # tensor -> its grid before any was searched by the damage it does

    def of(self, tensor: str) -> QuantParams | None:
        group = self.plan.group.get(tensor)
        return None if group is None else self.written[group]


def with_outliers(
    log: Sequence[StepRecord], graph: ir.Graph, seen: Mapping[str, Seen], grids: WrittenParams
) -> tuple[StepRecord, ...]:
    """The log, with the figures of tensors that have channels standing out added where they are made."""
    made = {str(n.name): float_name(n.outputs[0]) for n in graph if n.outputs}
    return tuple(_with_outlier(r, seen.get(made.get(r.where, "")), grids, made.get(r.where, "")) for r in log)


def _with_outlier(record: StepRecord, seen: Seen | None, grids: WrittenParams, tensor: str) -> StepRecord:
    if seen is None or (times := stands_out(loudness_of(seen))) < LOUD:
        return record
    data: dict[str, object] = {"outlier": round(times, 1), "handled": _handled(seen, grids, tensor)}
    grid = grids.of(tensor)
    if grid is not None and grid.axis is None:
        widths = seen.channel_high - seen.channel_low
        varied = widths[widths > 0]
        if len(varied):  # none where the tensor is the same for every image, as a decoder's own tokens are
            data["typical_steps"] = round(float(np.median(varied) / grid.scale), 1)
    return replace(record, data={**record.data, **data})


def _handled(seen: Seen, grids: WrittenParams, tensor: str) -> str:
    """What was done about a tensor's loud channels."""
    grid = grids.of(tensor)
    if grid is None:
        return "left float"
    if grid.axis is not None:
        return "a grid for every channel"
    low, high = (float(b) for b in grid.bounds())
    covered = (high - low) / max(seen.high - seen.low, 1e-30)
    cut = f", {1 - covered:.0%} of the range cut off" if covered < WHOLE else ", nothing cut off"
    before = grids.calibrated.get(tensor)
    searched = before is not None and (before.scale != grid.scale or before.zero_point != grid.zero_point)
    return ("range searched by its damage at the heads" if searched else "range of least error") + cut
