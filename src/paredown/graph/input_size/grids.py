"""Constants that were computed from the input's size, computed again for another one.

What exporters fold for a head is plain: for each feature map a plane, value = start + dy * row + dx *
column, in cells, in pixels or in fractions of the input. (Grid points and strides of anchor-free heads,
anchors of YOLO heads, prior boxes of SSD.) A plane in cells or pixels goes on with the same steps. One in
fractions is taken back to pixels first. Whatever is no plane is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from paredown.graph.input_size.axes import Axes, Axis, Segment, Unproven, is_fixed, new_length, old_length

Float = NDArray[np.float64]
EXACT = 2e-6  # of the largest value: a plane is one to the last digits of single precision
OF_THE_INPUT = (
    1.5  # cells times step: about 1 in fractions of the input, the number of cells or more elsewhere
)


@dataclass(frozen=True)
class Size:
    """Height and width of the model's input: those it has, those it shall have."""

    old: tuple[int, int]
    new: tuple[int, int]

    @property
    def shrinks(self) -> tuple[float, float]:
        """Old over new height and width: what a fraction of the input is multiplied by."""
        return self.old[0] / self.new[0], self.old[1] / self.new[1]


@dataclass(frozen=True)
class Block:
    """What a constant holds for one feature map (or one of each, where several axes depend on the size)."""

    values: Float  # old shape of this block
    segments: tuple[Segment, ...]  # one an axis

    def planes(self) -> tuple[Float, list[int], int | None, int | None]:
        """Values (..., y, x) and the axes moved: order, rank of y, rank of x, None where it has none."""
        factors = [f for segment in self.segments for f in segment]
        array = self.values.reshape([f.old for f in factors])
        ys = [i for i, f in enumerate(factors) if f.along == "y"]
        xs = [i for i, f in enumerate(factors) if f.along == "x"]
        if len(ys) > 1 or len(xs) > 1:
            raise Unproven("two feature maps meet in one constant")
        y, x = ys[0] if ys else None, xs[0] if xs else None
        rest = [i for i in range(len(factors)) if i not in (y, x)]
        order = rest + [i for i in (y, x) if i is not None]
        moved = array.transpose(order)
        for at, axis in ((y, -1 if x is None else -2), (x, -1)):
            if at is None:
                moved = np.expand_dims(moved, axis)
        return moved, order, y, x


def blocks(values: Float, axes: Axes) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...], Block]]:
    """The parts of a constant that belong to one feature map each: where it stood, where it will stand."""
    for combination in product(*(_parts(axis) for axis in axes)):
        old, new, segments = zip(*combination, strict=True)
        yield tuple(old), tuple(new), Block(values[tuple(old)], tuple(segments))


def _parts(axis: Axis) -> list[tuple[slice, slice, Segment]]:
    found, old, new = [], 0, 0
    for segment in axis:
        n, m = old_length((segment,)), new_length((segment,))
        found.append((slice(old, old + n), slice(new, new + m), segment))
        old, new = old + n, new + m
    return found


def regrow(array: NDArray[np.generic], axes: Axes, size: Size) -> NDArray[np.generic]:
    """The constant at the new size. axes: one for each of its own; those that it broadcasts are fixed ones.

    Raises Unproven where a part of it is no plane, or where cells and fractions cannot be told apart.
    """
    values = array.astype(np.float64)
    parts = list(blocks(values, axes))
    largest = max(float(np.abs(values).max(initial=0.0)), 1e-12)
    fits = [_fit(block, EXACT * largest) for _, _, block in parts]
    fractions = _fractions(fits, largest, size)
    result = np.zeros([new_length(axis) for axis in axes], np.float64)
    for (_, new, block), fit in zip(parts, fits, strict=True):
        result[new] = _grown(block, fit, fractions, size).reshape(result[new].shape)
    return np.rint(result).astype(array.dtype) if array.dtype.kind in "iu" else result.astype(array.dtype)


@dataclass(frozen=True)
class Fit:
    """start + dy * row + dx * column, each (...) over axes that are no feature map. cells: rows, columns."""

    start: Float
    dy: Float
    dx: Float
    cells: tuple[int, int]
    varies: bool  # whether the block stands on a feature map at all


def _fit(block: Block, within: float) -> Fit:
    planes, _, y, x = block.planes()
    rows, columns = planes.shape[-2:]
    start = planes[..., 0, 0]
    dy = (planes[..., -1, 0] - start) / max(rows - 1, 1)
    dx = (planes[..., 0, -1] - start) / max(columns - 1, 1)
    if np.abs(_plane(start, dy, dx, rows, columns) - planes).max(initial=0.0) > within:
        raise Unproven("its values are no plane over the feature map")
    return Fit(start, dy, dx, (rows, columns), y is not None or x is not None)


def _plane(start: Float, dy: Float, dx: Float, rows: int, columns: int) -> Float:
    down, right = np.arange(rows)[:, None], np.arange(columns)
    plane: Float = start[..., None, None] + dy[..., None, None] * down + dx[..., None, None] * right
    return plane


def _fractions(fits: Sequence[Fit], largest: float, size: Size) -> bool:
    """Whether the constant counts in fractions of the input; cells and pixels go on as they are."""
    spans = [np.abs(step) * n for f in fits for step, n in ((f.dy, f.cells[0]), (f.dx, f.cells[1])) if n > 1]
    wide = np.concatenate([np.zeros(0), *(s.ravel() for s in spans)])
    wide = wide[wide > 1e-9]
    if wide.size:
        if wide.max() < OF_THE_INPUT:
            return True
        if wide.min() < OF_THE_INPUT:
            raise Unproven("some of its columns count in cells and others in fractions of the input")
        return False
    levels = [f.start.ravel() for f in fits if f.varies]
    differ = any(a.shape == b.shape and not np.allclose(a, b) for a in levels for b in levels)
    return differ and largest < OF_THE_INPUT  # sizes of priors; strides in pixels are 4 and more


def _grown(block: Block, fit: Fit, fractions: bool, size: Size) -> Float:
    factors = [f for segment in block.segments for f in segment]
    _, order, y, x = block.planes()
    rows = factors[y].new if y is not None else 1
    columns = factors[x].new if x is not None else 1
    if any(n == 1 and wanted > 1 for n, wanted in zip(fit.cells, (rows, columns), strict=True)):
        raise Unproven("a feature map of one cell tells no distance between cells")
    start, dy, dx = fit.start, fit.dy, fit.dx
    if fractions and fit.varies:
        start, dy, dx = _in_fractions(fit, size)
    plane = _plane(start, dy, dx, rows, columns)
    for at, axis in ((x, -1), (y, -1 if x is None else -2)):
        if at is None:
            plane = np.squeeze(plane, axis)
    return plane.transpose(np.argsort(order))


def _in_fractions(fit: Fit, size: Size) -> tuple[Float, Float, Float]:
    down, right = size.shrinks
    along_y, along_x = np.abs(fit.dy) > 1e-9, np.abs(fit.dx) > 1e-9
    if abs(down - right) > 1e-9 and not np.all(along_y ^ along_x):
        raise Unproven(
            "fractions of the height or of the width: it does not say which; ask for a size of the same ratio"
        )
    by = np.where(along_y, down, right)
    return fit.start * by, fit.dy * by, fit.dx * by


def depends(axes: Axes) -> bool:
    """Whether a constant with these axes must be made anew."""
    return not all(is_fixed(axis) for axis in axes)
