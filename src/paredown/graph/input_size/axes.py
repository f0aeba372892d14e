"""What an axis of a tensor counts: how far it depends on the height and width of the model's input.

    Axis    = Segment + Segment + ...    a Concat along the axis lays segments end to end
    Segment = Factor x Factor x ...      a Reshape that merges axes multiplies them, the last runs fastest
    Factor  = (old, new, along)          a count at the size given, at the size asked for; "y" or "x" where it
                                         counts cells of a feature map

An axis of 8400 anchors is thus (80 y, 80 x) + (40 y, 40 x) + (20 y, 20 x), and is known at any other size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import NamedTuple


class Factor(NamedTuple):
    old: int
    new: int
    along: str = ""


Segment = tuple[Factor, ...]
Axis = tuple[Segment, ...]
Axes = tuple[Axis, ...]

MOST_SEGMENTS = 256


class Unproven(Exception):
    """Why nothing is known about a tensor at another size; the text names no node, the caller does."""


def fixed(count: int) -> Axis:
    """An axis that is as long at every size."""
    return ((Factor(count, count),),) if count != 1 else ((),)


def old_length(axis: Axis) -> int:
    return sum(prod(f.old for f in segment) for segment in axis)


def new_length(axis: Axis) -> int:
    return sum(prod(f.new for f in segment) for segment in axis)


def is_fixed(axis: Axis) -> bool:
    """Whether nothing of the axis counts cells of a feature map."""
    return all(f.old == f.new and not f.along for segment in axis for f in segment)


def joined(parts: Iterable[Axis]) -> Axis:
    """The axis of a Concat: segment behind segment, what is fixed in one piece."""
    segments: list[Segment] = []
    for axis in parts:
        if segments and is_fixed((segments[-1],)) and is_fixed(axis):
            (segments[-1],) = fixed(old_length((segments[-1],)) + old_length(axis))
        else:
            segments += axis
    return tuple(segments)


def merged(axes: Sequence[Axis]) -> Axis:
    """One axis out of several that follow each other in memory."""
    result: Axis = ((),)
    for axis in axes:
        if len(axis) == 1:
            result = tuple(tidy((*segment, *axis[0])) for segment in result)
        elif is_fixed(result) and old_length(result) * len(axis) <= MOST_SEGMENTS:
            result = axis * old_length(result)
        else:
            raise Unproven("axes are merged whose cells cannot be told apart afterwards")
    return result


def tidy(segment: Segment) -> Segment:
    """The same product without ones, neighbours that are fixed in one factor."""
    found: list[Factor] = []
    for f in segment:
        if f.old == f.new == 1 and not f.along:
            continue
        if (
            found
            and not f.along
            and not found[-1].along
            and f.old == f.new
            and found[-1].old == found[-1].new
        ):
            found[-1] = Factor(found[-1].old * f.old, found[-1].new * f.new)
        else:
            found.append(f)
    return tuple(found)


def parted(axis: Axis, lengths: Sequence[int]) -> Axes:
    """Several axes of the old `lengths` out of one."""
    if len(lengths) == 1:
        return (axis,)
    if len(axis) > 1:
        outer = [i for i, n in enumerate(lengths) if n != 1]
        if len(outer) == 1:
            return tuple(axis if i == outer[0] else fixed(1) for i in range(len(lengths)))
        raise Unproven("an axis of several feature maps is parted")
    factors = list(axis[0])
    found = [_take(factors, length) for length in lengths]
    if factors and prod(f.old for f in factors) != 1:
        raise Unproven(f"an axis of {old_length(axis)} is parted into {list(lengths)}")
    found[-1] = ((*found[-1][0], *factors),)  # counts of one cell at the old size belong to the last axis
    return tuple(found)


def _take(factors: list[Factor], length: int) -> Axis:
    """Factors from the front whose product is `length`; one that is fixed may be broken in two."""
    taken: list[Factor] = []
    missing = length
    while missing > 1:
        if not factors:
            raise Unproven("an axis is parted otherwise than it was put together")
        f = factors.pop(0)
        if missing % f.old == 0:
            taken.append(f)
            missing //= f.old
        elif not f.along and f.old == f.new and f.old % missing == 0:
            taken.append(Factor(missing, missing))
            factors.insert(0, Factor(f.old // missing, f.old // missing))
            missing = 1
        else:
            raise Unproven(f"{f.old} cells are parted into {length}")
    return (tuple(taken),)


def reshaped(axes: Axes, lengths: Sequence[int]) -> Axes:
    """The axes behind a Reshape to the old `lengths`: the shortest groups of axes with equal products."""
    found: list[Axis] = []
    i = j = 0
    while i < len(axes) or j < len(lengths):
        first_in, first_out = i, j
        have = want = 1
        if i < len(axes):
            have, i = old_length(axes[i]), i + 1
        if j < len(lengths):
            want, j = lengths[j], j + 1
        while have != want:
            if have < want and i < len(axes):
                have, i = have * old_length(axes[i]), i + 1
            elif want < have and j < len(lengths):
                want, j = want * lengths[j], j + 1
            else:
                raise Unproven("a Reshape whose products do not match")
        found += _regrouped(axes[first_in:i], lengths[first_out:j])
    return tuple(found)


def _regrouped(axes: Axes, lengths: Sequence[int]) -> Axes:
    if not lengths:  # trailing ones that vanish
        if any(new_length(a) != 1 for a in axes):
            raise Unproven("an axis of one cell vanishes that has more at the new size")
        return ()
    if not axes:
        return tuple(fixed(1) for _ in lengths)
    if all(is_fixed(a) for a in axes):
        return tuple(fixed(n) for n in lengths)
    return parted(merged(axes), lengths)


def cut(axis: Axis, sizes: Sequence[int]) -> Axes:
    """The pieces of the old `sizes`, end to end: a fixed axis anywhere, others between feature maps."""
    pieces: list[Axis] = []
    segments = list(axis)
    for size in sizes:
        piece: list[Segment] = []
        missing = size
        while missing > 0:
            if not segments:
                raise Unproven("a cut beyond the end of an axis")
            segment = segments.pop(0)
            length = old_length((segment,))
            if length > missing:
                if not is_fixed((segment,)):
                    raise Unproven("a cut within a feature map")
                segments.insert(0, fixed(length - missing)[0])
                segment, length = fixed(missing)[0], missing
            piece.append(segment)
            missing -= length
        pieces.append(tuple(piece))
    return tuple(pieces)


def same(a: Axis, b: Axis) -> bool:
    """Whether two axes that meet in an elementwise operator count alike, at both sizes."""
    return old_length(a) == old_length(b) and new_length(a) == new_length(b)
