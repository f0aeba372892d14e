"""In which order a TFLite tensor holds the axes of an ONNX tensor.

A layout names, for every axis of the TFLite tensor, the axis of the ONNX tensor that stands there:
(0, 2, 3, 1) is NHWC. A Transpose of the graph then only renames axes, and a Reshape that keeps whole groups
of neighbouring axes together is a Reshape in that order too. Values are moved only where an operator needs
another order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from math import prod

Layout = tuple[int, ...]
Shape = tuple[int, ...]


def plain(rank: int) -> Layout:
    """ONNX's own order."""
    return tuple(range(rank))


def channels_last(rank: int) -> Layout:
    """NHWC for images; axis 1 last for any rank above 2."""
    return plain(rank) if rank < 3 else (0, *range(2, rank), 1)


def arranged(shape: Sequence[int], layout: Layout) -> Shape:
    """The TFLite shape of an ONNX shape."""
    return tuple(shape[axis] for axis in layout)


def permuted(layout: Layout, perm: Sequence[int]) -> Layout:
    """The layout of the output of Transpose(perm) where it is the very tensor of its input."""
    return tuple(tuple(perm).index(axis) for axis in layout)


def order(shape: Sequence[int], layout: Layout) -> Layout:
    """The layout without axes of size 1, which lie in memory wherever they stand."""
    return tuple(axis for axis in layout if shape[axis] != 1)


def same_memory(shape: Sequence[int], one: Layout, other: Layout) -> bool:
    """Whether both layouts hold the values in the same order."""
    return order(shape, one) == order(shape, other)


def with_order(shape: Shape, wanted: Layout) -> Layout:
    """A full layout with this order of the axes larger than 1: NHWC where that fits."""
    rank = len(shape)
    preferred = channels_last(rank)
    if rank == 4 and order(shape, preferred) == wanted:
        return preferred
    ones = [axis for axis in range(rank) if shape[axis] == 1]
    layout = list(wanted)
    for axis in ones:  # before the first larger axis: (0, ...) for a batch of one
        place = next((i for i, other in enumerate(layout) if other > axis), len(layout))
        layout.insert(place, axis)
    return tuple(layout)


def groups(source: Shape, target: Shape) -> Iterator[tuple[list[int], list[int]]]:
    """The smallest runs of axes of both shapes that hold as many elements, axes of size 1 left out."""
    left = [axis for axis, size in enumerate(source) if size != 1]
    right = [axis for axis, size in enumerate(target) if size != 1]
    while left:
        ours, theirs = [left.pop(0)], [right.pop(0)]
        while (a := prod(source[i] for i in ours)) != (b := prod(target[i] for i in theirs)):
            if a < b:
                ours.append(left.pop(0))
            else:
                theirs.append(right.pop(0))
        yield ours, theirs


def through_reshape(source: Shape, target: Shape, layout: Layout) -> tuple[Layout, Layout]:
    """The layout that the source must have, and the target's then, nearest to the source's own layout.

    Every group of axes that is merged or split must lie together and in ONNX's order; whole groups may stand
    anywhere, and stand where their last axis stood.
    """
    pairs = list(groups(source, target))
    place = {axis: i for i, axis in enumerate(layout)}
    pairs.sort(key=lambda pair: max(place[axis] for axis in pair[0]))
    before = tuple(axis for ours, _ in pairs for axis in ours)
    after = tuple(axis for _, theirs in pairs for axis in theirs)
    kept = layout if order(source, layout) == before else with_order(source, before)
    return kept, with_order(target, after)


def convolution_layouts(rank: int) -> list[Layout]:
    """Batch first, channels last, the axes between them in any order; NHWC first."""
    return [(0, *middle, 1) for middle in permutations(range(2, rank))]
