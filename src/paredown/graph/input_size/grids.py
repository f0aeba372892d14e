"""Constants that were computed from the input's size, computed again for another one.

What exporters fold for a head is plain: for each feature map a plane, value = start + dy * row + dx *
column, in cells, in pixels or in fractions of the input. (Grid points and strides of anchor-free heads,
anchors of YOLO heads, prior boxes of SSD.) A plane in cells or pixels goes on with the same steps. One in
fractions is taken back to pixels first. Whatever is no plane is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from paredown.graph.input_size.axes import (
    Axes,
    Axis,
    Segment,
    Unproven,
    is_fixed,
    new_length,
    old_length,
)

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


def blocks(
    array: NDArray[np.generic], axes: Axes
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...], Block]]:
    """The parts of a constant that belong to one feature map each: where it stood, where it will stand."""
    values = array.astype(np.float64)
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


def counts_in_fractions(array: NDArray[np.generic], axes: Axes) -> bool | None:
    """Whether places in a constant are fractions of the input, not cells or pixels; None for no places."""
    fits = [_fit(block, array) for _, _, block in blocks(array, axes)]
    spans = _spans(fits)
    if not spans.size:
        return None
    if spans.min() < OF_THE_INPUT <= spans.max():
        raise Unproven("some of its columns count in cells and others in fractions of the input")
    return bool(spans.max() < OF_THE_INPUT)


def regrow(array: NDArray[np.generic], axes: Axes, size: Size, fractions: bool) -> NDArray[np.generic]:
    """The constant at the new size. axes: one for each of its own; those that it broadcasts are fixed ones.

    fractions: whether the model's places are fractions of the input. Then sizes are, where they differ from
    map to map (prior boxes): in pixels, which is what the network sees, they stay what they are.

    Raises Unproven where a part of it is no plane, or where it does not say what it is a fraction of.
    """
    parts = list(blocks(array, axes))
    fits = [_fit(block, array) for _, _, block in parts]
    spans = _spans(fits)
    scaled = fractions and (spans.size > 0 or _differ(fits))
    result = np.zeros([new_length(axis) for axis in axes], np.float64)
    for (_, new, block), fit in zip(parts, fits, strict=True):
        grown = _grown(block, _in_fractions(fit, size) if scaled else fit)
        result[new] = grown.reshape(result[new].shape)
    return np.rint(result).astype(array.dtype) if array.dtype.kind in "iu" else result.astype(array.dtype)


@dataclass(frozen=True)
class Fit:
    """start + dy * row + dx * column, each (...) over axes that are no feature map. cells: rows, columns."""

    start: Float
    dy: Float
    dx: Float
    cells: tuple[int, int]


def _fit(block: Block, array: NDArray[np.generic]) -> Fit:
    planes, *_ = block.planes()
    rows, columns = planes.shape[-2:]
    start = planes[..., 0, 0]
    dy = (planes[..., -1, 0] - start) / max(rows - 1, 1)
    dx = (planes[..., 0, -1] - start) / max(columns - 1, 1)
    within = EXACT * max(float(np.abs(array).max(initial=0)), 1e-12)
    if np.abs(_plane(start, dy, dx, rows, columns) - planes).max(initial=0.0) > within:
        raise Unproven("its values are no plane over the feature map")
    return Fit(start, dy, dx, (rows, columns))


def _plane(start: Float, dy: Float, dx: Float, rows: int, columns: int) -> Float:
    down, right = np.arange(rows)[:, None], np.arange(columns)
    plane: Float = start[..., None, None] + dy[..., None, None] * down + dx[..., None, None] * right
    return plane


def _spans(fits: Sequence[Fit]) -> Float:
    """How far places go over each feature map, for every column that goes at all: cells times step."""
    steps = [
        np.abs(step).ravel() * n for f in fits for step, n in zip((f.dy, f.dx), f.cells, strict=True) if n > 1
    ]
    spans = np.concatenate([np.zeros(0), *steps])
    return spans[spans > 1e-9]


def _differ(fits: Sequence[Fit]) -> bool:
    """Whether what does not go over the maps is something else on each of them."""
    levels = [np.unique(f.start) for f in fits]
    return any(a.shape != b.shape or not np.allclose(a, b) for a in levels for b in levels)


def _grown(block: Block, fit: Fit) -> Float:
    factors = [f for segment in block.segments for f in segment]
    _, order, y, x = block.planes()
    cells = (factors[y].new if y is not None else 1, factors[x].new if x is not None else 1)
    if any(n == 1 and wanted > 1 for n, wanted in zip(fit.cells, cells, strict=True)):
        raise Unproven("a feature map of one cell tells no distance between cells")
    plane = _plane(fit.start, fit.dy, fit.dx, *cells)
    for at, axis in ((x, -1), (y, -1 if x is None else -2)):
        if at is None:
            plane = np.squeeze(plane, axis)
    return plane.transpose(np.argsort(order))


def _in_fractions(fit: Fit, size: Size) -> Fit:
    """The same pixels as fractions of the new input."""
    along_y, along_x = np.abs(fit.dy) > 1e-9, np.abs(fit.dx) > 1e-9
    down, right = size.shrinks
    if abs(down - right) > 1e-9 and not np.all(along_y ^ along_x):
        raise Unproven(
            "fractions of the height or of the width: it does not say which; ask for a size of the same ratio"
        )
    by = np.where(along_y, down, right)
    return replace(fit, start=fit.start * by, dy=fit.dy * by, dx=fit.dx * by)


def depends(axes: Axes) -> bool:
    """Whether a constant with these axes must be made anew."""
    return not all(is_fixed(axis) for axis in axes)
