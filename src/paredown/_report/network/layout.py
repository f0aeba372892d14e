"""Places for the boxes of a graph, top to bottom: rows by longest path, few crossings, straight lines.

Source: Sugiyama, Tagawa, Toda, "Methods for visual understanding of hierarchical system structures", IEEE
Trans. SMC 11(2), 1981: layers, then barycentre sweeps over them. Positions within a row are the least squares
fit to the neighbours' under a least distance, by pooling adjacent violators.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

SWEEPS = 6
Point = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """centres: (x, y) of each box. lines: for each edge, (from, to) -> its points, box to box, downwards."""

    centres: list[Point]
    lines: dict[tuple[int, int], list[Point]]
    width: float
    height: float


@dataclass
class _Spot:
    """A box, or a place where a long edge passes a row."""

    row: int
    wide: float
    above: list[int]
    below: list[int]
    x: float = 0.0


def layout(inputs: Sequence[Sequence[int]], wide: float, step: float, lane: float = 22.0) -> Layout:
    """The layout of boxes `wide` pixels wide, rows `step` apart. inputs[i]: what box i reads, all < i."""
    ranks = _ranks(inputs)
    spots = [_Spot(rank, wide, [], []) for rank in ranks]
    ways = {(a, b): _thread(spots, a, b, lane) for b, reads in enumerate(inputs) for a in reads}
    rows: list[list[int]] = [[] for _ in range(max(ranks, default=0) + 1)]
    for i, spot in enumerate(spots):
        rows[spot.row].append(i)
    for sweep in range(SWEEPS):
        _sort(spots, rows, down=sweep % 2 == 0)
    for row in rows:
        _spread(spots, row, [0.0] * len(row))
    for sweep in range(2 * SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else rows[::-1]:
            _spread(spots, row, [_wanted(spots, i, down=down) for i in row])
    left = min((s.x - s.wide / 2 for s in spots), default=0.0) - 12
    places = [(s.x - left, 30 + step * s.row) for s in spots]
    right = max((x + s.wide / 2 for (x, _), s in zip(places, spots, strict=True)), default=0.0) + 12
    lines = {edge: [places[i] for i in way] for edge, way in ways.items()}
    return Layout(places[: len(inputs)], lines, right, 60 + step * (len(rows) - 1))


def _ranks(inputs: Sequence[Sequence[int]]) -> list[int]:
    """The row of each box: below all that it reads, and what reads nothing right above its first reader."""
    ranks: list[int] = []
    for reads in inputs:
        ranks.append(1 + max((ranks[i] for i in reads), default=-1))
    for i in range(len(inputs) - 1, -1, -1):
        after = [ranks[j] for j in range(i + 1, len(inputs)) if i in inputs[j]]
        if after and not inputs[i]:
            ranks[i] = max(ranks[i], min(after) - 1)
    return ranks


def _thread(spots: list[_Spot], start: int, end: int, lane: float) -> list[int]:
    """The way of an edge through every row between its boxes; adds the spots where it passes."""
    way = [start]
    for row in range(spots[start].row + 1, spots[end].row):
        spots.append(_Spot(row, lane, [], []))
        way.append(len(spots) - 1)
    way.append(end)
    for a, b in pairwise(way):
        spots[a].below.append(b)
        spots[b].above.append(a)
    return way


def _sort(spots: Sequence[_Spot], rows: list[list[int]], *, down: bool) -> None:
    """Each row by the mean place of its neighbours in the row before."""
    for row in rows if down else rows[::-1]:
        row.sort(key=lambda i: _mean([spots[j].x for j in _near(spots, i, down=down)], spots[i].x))
        for place, i in enumerate(row):
            spots[i].x = place - len(row) / 2


def _near(spots: Sequence[_Spot], i: int, *, down: bool) -> list[int]:
    return spots[i].above if down else spots[i].below


def _wanted(spots: Sequence[_Spot], i: int, *, down: bool) -> float:
    near = _near(spots, i, down=down) or _near(spots, i, down=not down)
    return _mean([spots[j].x for j in near], spots[i].x)


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _spread(spots: Sequence[_Spot], row: Sequence[int], wanted: Sequence[float]) -> None:
    """Places as near to the wanted ones as the widths allow, in the row's order, by pooling violators."""
    offsets, at = [], 0.0
    for place, i in enumerate(row):
        at += 0.0 if place == 0 else (spots[row[place - 1]].wide + spots[i].wide) / 2 + 14
        offsets.append(at)
    pools: list[list[float]] = []  # sum and number of (wanted - offset) that share one value
    for want, offset in zip(wanted, offsets, strict=True):
        pools.append([want - offset, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] >= pools[-1][0] / pools[-1][1]:
            total, n = pools.pop()
            pools[-1][0] += total
            pools[-1][1] += n
    shifts = [total / n for total, n in pools for _ in range(int(n))]
    for i, shift, offset in zip(row, shifts, offsets, strict=True):
        spots[i].x = shift + offset
