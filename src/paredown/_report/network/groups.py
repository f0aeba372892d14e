"""A graph of hundreds of nodes as a few dozen boxes: what belongs to an operation stands in its box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paredown._report.layer_rows import Kind, LayerRow

MAIN = frozenset(  # always a box of its own, as is everything with multiply-accumulates
    [
        "Concat",
        "Resize",
        "Upsample",
        "MaxPool",
        "AveragePool",
        "GlobalAveragePool",
        "Softmax",
        "NonMaxSuppression",
        "TopK",
        "Loop",
        "If",
    ]
)
MANY = 70  # boxes, from which on chains without a branch share one
LONGEST = 4  # boxes of a chain that share one


@dataclass
class Group:
    """One box: layers that follow one another in the same arithmetic. inputs: places of earlier groups."""

    rows: list[LayerRow]
    inputs: list[int]

    @property
    def main(self) -> LayerRow:
        return max(self.rows, key=lambda r: (r.layer.macs, r.layer.op in MAIN))

    @property
    def kind(self) -> Kind:
        return self.main.kind

    @property
    def ms(self) -> float | None:
        timed = [r.ms for r in self.rows if r.ms is not None]
        return sum(timed) if timed else None


def groups_of(rows: Sequence[LayerRow], many: int = MANY) -> list[Group]:
    """The groups in the order of the graph. Shapes and indices are left out."""
    groups: list[Group] = []
    place: dict[str, int] = {}
    for row in rows:
        if row.kind == "index":
            continue
        reads = sorted({place[name] for name in row.layer.inputs if name in place})
        home = _home(row, reads, groups)
        if home is None:
            groups.append(Group([row], reads))
            home = len(groups) - 1
        else:
            groups[home].rows.append(row)
        place[row.layer.name] = home
    return groups if len(groups) <= many else _shorten(groups)


def _home(row: LayerRow, reads: Sequence[int], groups: Sequence[Group]) -> int | None:
    """The group that a layer joins: the last of those it reads, where that adds no edge and no colour."""
    if row.layer.macs or row.layer.op in MAIN or not reads:
        return None
    last = groups[reads[-1]]
    joins = last.kind == row.kind and set(reads[:-1]) <= set(last.inputs)
    return reads[-1] if joins else None


def _shorten(groups: Sequence[Group]) -> list[Group]:
    """Chains without a branch, of one kind, as one group of at most LONGEST."""
    readers = [0] * len(groups)
    for group in groups:
        for i in group.inputs:
            readers[i] += 1
    made: list[Group] = []
    where: list[int] = []
    length: list[int] = []
    for group in groups:
        before = group.inputs[0] if len(group.inputs) == 1 else None
        home = None if before is None else where[before]
        if (
            before is not None
            and home is not None
            and readers[before] == 1
            and groups[before].kind == group.kind
            and length[home] < LONGEST
        ):
            made[home].rows.extend(group.rows)
            length[home] += 1
            where.append(home)
            continue
        made.append(Group(list(group.rows), sorted({where[i] for i in group.inputs})))
        length.append(1)
        where.append(len(made) - 1)
    return made
