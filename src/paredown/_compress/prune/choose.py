"""Which channels go: a global ranking by importance for each multiply-accumulate that their removal saves.

Classes that live in the same tensors form a cohort (the inner channels of a block, the channels of a residual
stream). A cohort gives up its least important classes, as many at once as bring its layers to the next
multiple of `align` channels. Of all such units the one goes that has least

    sum of importance / MACs saved as the graph is by then

until the share asked for is gone or every cohort is at its floor.

Source: Molchanov et al. 2017, arXiv 1611.06440, section 2.2 and 2.3 (greedy and global, with a term for the
operations saved).
Differs from the source: importance is divided by the operations saved; the paper subtracts them, weighted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from paredown.graph.inspect import macs_of
from paredown.graph.moves import Ids
from paredown.graph.removal import Operand, Removable
from paredown.graph.walk import weight_of

FLOOR = 0.2  # of a cohort's classes stay, whatever they are worth

Entries = dict[tuple[int, int], int]
"""(layer, axis of its weight) -> how many entries of that axis are meant."""


@dataclass
class _Layers:
    """The cost of every layer with weights as a product over the axes of its weight.

    macs: (layers,) before removal. total, left: entries of each weight axis that channels count, before and
    now.
    """

    macs: list[int] = field(default_factory=list)
    total: Entries = field(default_factory=dict)
    left: Entries = field(default_factory=dict)
    axes: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    def now(self, layer: int, less: Mapping[tuple[int, int], int] | None = None) -> float:
        """MACs of a layer with `less` entries taken away."""
        shares = [
            (self.left[layer, a] - (less or {}).get((layer, a), 0)) / self.total[layer, a]
            for a in self.axes[layer]
        ]
        return self.macs[layer] * prod(shares)

    def saved(self, less: Entries) -> float:
        return sum(self.now(layer) - self.now(layer, less) for layer in {layer for layer, _ in less})


@dataclass
class _Cohort:
    """classes: least important first. width: channels that one class has in the widest of its tensors."""

    classes: list[int]
    width: int
    least: int

    def unit(self, align: int) -> list[int]:
        """The classes that go next; none where the floor is reached."""
        n = len(self.classes)
        kept = max(ceil(n * self.width / align) - 1, 0) * align // self.width
        return self.classes[: n - kept] if kept >= self.least else []


@dataclass(frozen=True)
class Choice:
    """removed: classes. share: of the MACs that goes with them."""

    removed: frozenset[int]
    share: float


def choose(found: Removable, importance: NDArray[np.float64], share: float, align: int) -> Choice:
    """The classes to remove so that `share` of the graph's MACs goes, or as much as can.

    importance: for every class (by its root), what the model loses without it.
    """
    layers, entries = _layers(found)
    everything = sum(macs_of(node) for node in found.graph)
    cohorts = _cohorts(found, importance)
    removed: set[int] = set()
    saved = 0.0
    while saved < share * everything:
        offers = []
        for cohort in cohorts:
            if unit := cohort.unit(align):
                less = _together(entries, unit)
                gain = layers.saved(less)
                if gain > 0:
                    offers.append((float(importance[unit].sum()) / gain, cohort, unit, less, gain))
        if not offers:
            break
        _, cohort, unit, less, gain = min(offers, key=lambda offer: offer[0])
        for key, n in less.items():
            layers.left[key] -= n
        cohort.classes = cohort.classes[len(unit) :]
        removed.update(unit)
        saved += gain
    return Choice(frozenset(removed), saved / everything if everything else 0.0)


def _layers(found: Removable) -> tuple[_Layers, dict[int, Entries]]:
    """The layers, and for every class the entries of their weights that it owns."""
    layers, entries = _Layers(), defaultdict[int, Entries](dict)
    number = {node: i for i, node in enumerate(n for n in found.graph if weight_of(n) is not None)}
    layers.macs = [macs_of(node) for node in number]
    for operand, axis, ids in _weight_axes(found):
        layer = number[operand.node]
        layers.axes[layer].append(axis)
        layers.total[layer, axis] = layers.left[layer, axis] = len(ids)
        for c, n in _counted(found, ids):
            entries[c][layer, axis] = n
    return layers, entries


def _weight_axes(found: Removable) -> Iterator[tuple[Operand, int, Ids]]:
    """Every axis of a layer's weight that channels count."""
    for operand in found.operands:
        if operand.index == 1 and weight_of(operand.node) is not None:
            for axis, ids in enumerate(operand.ids):
                if ids is not None:
                    yield operand, axis, ids


def _counted(found: Removable, ids: Ids) -> list[tuple[int, int]]:
    """The classes among ids, each with the number of its entries."""
    classes, counts = np.unique(found.classes(ids), return_counts=True)
    return list(zip(classes.tolist(), counts.tolist(), strict=True))


def _cohorts(found: Removable, importance: NDArray[np.float64]) -> list[_Cohort]:
    frozen = found.channels.is_frozen()
    where: dict[int, list[int]] = defaultdict(list)
    for number, (_, ids) in enumerate(found.axes.values()):
        for c in set(found.classes(ids).tolist()) - frozen:
            where[c].append(number)
    width: dict[int, int] = defaultdict(lambda: 1)
    for operand, axis, ids in _weight_axes(found):
        if axis != operand.reads:
            for c, n in _counted(found, ids):
                width[c] = max(width[c], n)
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for c, tensors in where.items():
        groups[tuple(tensors)].append(c)
    made = []
    for group in groups.values():
        ordered = sorted(group, key=lambda c: (importance[c], c))
        least = max(ceil(FLOOR * len(group)), 1)
        made.append(_Cohort(ordered, max(width[c] for c in group), least))
    return made


def _together(entries: Mapping[int, Entries], classes: list[int]) -> Entries:
    found: Entries = defaultdict(int)
    for c in classes:
        for key, n in entries[c].items():
            found[key] += n
    return found
