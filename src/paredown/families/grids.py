"""Outputs with a row of values for each anchor of the cells of usual grids: how most YOLOs are recognised."""

from __future__ import annotations

from dataclasses import dataclass

from paredown.families.boxes import grid_shape
from paredown.families.features import Features
from paredown.families.outputs import Output, fits, spell

STRIDES = ((8, 16, 32), (8, 16, 32, 64), (16, 32), (4, 8, 16, 32), (8, 16), (8,), (16,), (32,))


@dataclass(frozen=True)
class GridHead:
    """One output with `columns` values for each of `rows` anchors; rows is None where it is left open."""

    output: Output
    rows: int | None
    columns: int
    strides: tuple[int, ...]

    @property
    def says(self) -> str:
        return f"output shape {spell([self.output])}"


def grid_head(
    features: Features,
    *,
    anchors: int = 1,
    least: int = 6,
    tasks: tuple[str, ...] = ("detect",),
    columns_first: bool = False,
) -> GridHead | None:
    """The only output (1, N, K), or (1, K, N) with `columns_first`, as such a head; None where it is none.

    anchors: in each cell. least: columns. tasks: what the metadata may say, where it says one.
    """
    if len(features.outputs) != 1 or features.task not in (None, *tasks):
        return None
    output = features.outputs[0]
    if len(output.shape) != 3:
        return None
    _, rows, columns = output.shape if not columns_first else (1, *output.shape[:0:-1])
    strides = strides_for(rows, features.size, per_cell=anchors)
    if columns is None or columns < least or strides is None:
        return None
    return GridHead(output, rows, columns, strides)


def strides_for(count: int | None, size: tuple[int, int], per_cell: int = 1) -> tuple[int, ...] | None:
    """The usual strides whose grids have `count` boxes together; (8, 16, 32) for a count left open."""
    for strides in STRIDES:
        shapes = [grid_shape(size, s) for s in strides]
        if fits(count, per_cell * sum(rows * columns for rows, columns in shapes)):
            return strides
    return None
