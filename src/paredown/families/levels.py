"""Heads with a few outputs for each grid: lists (n, K) or (1, n, K) over the cells of usual strides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paredown.families.features import Features
from paredown.families.grids import strides_for


@dataclass(frozen=True)
class Levels:
    """places[k]: positions of the outputs of K = widths[k] columns, finest grid first."""

    strides: tuple[int, ...]
    places: dict[int, tuple[tuple[int, ...], ...]]  # by width: one tuple for each output of that width


def find_levels(features: Features, per_cell: int, widths: Sequence[int]) -> Levels | None:
    """The outputs as levels whose lists have exactly these widths, in any order; None where they are others.

    per_cell: boxes in each cell. Of two lists of one width the order within a level is that of the outputs.
    """
    grids: dict[int, list[int]] = {}
    for position, output in enumerate(features.outputs):
        shape = output.shape if len(output.shape) == 2 else output.shape[1:]
        if len(shape) != 2 or shape[0] is None or shape[1] is None:
            return None
        grids.setdefault(shape[0], []).append(position)
    counts = sorted(grids, reverse=True)
    strides = strides_for(sum(counts), features.size, per_cell)
    if strides is None or len(strides) != len(counts):
        return None
    places: dict[int, list[tuple[int, ...]]] = {w: [] for w in widths}
    for count in counts:
        own = grids[count]
        if sorted(features.outputs[i].shape[-1] or 0 for i in own) != sorted(widths):
            return None
        for w in set(widths):
            places[w].append(tuple(i for i in own if features.outputs[i].shape[-1] == w))
    return Levels(strides, {w: tuple(zip(*found, strict=True)) for w, found in places.items()})
