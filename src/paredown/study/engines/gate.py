"""Which unit may start where: what times something has its host to itself, the others run side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paredown.study.engines.engine import HERE, Unit


@dataclass(frozen=True)
class Placed:
    """A unit and the machine that it runs on."""

    unit: Unit
    place: str

    @property
    def busy(self) -> frozenset[str]:
        """The machines that it uses. A board is timed from here, which costs next to nothing here."""
        unit = self.unit
        return frozenset({unit.host}) if unit.alone else frozenset({self.place, unit.host} - {""})


def next_to_start(
    waiting: Sequence[Unit], running: Sequence[Placed], slots: Mapping[str, int]
) -> Placed | None:
    """The first of those waiting that may start now, and where; None: something must end first.

    slots: machine -> how many units it takes side by side; this one is `HERE`. A machine that something waits
    to be alone on takes nothing new, so that it comes to rest.
    """
    quiet = {u.host for u in waiting if u.alone} | {p.unit.host for p in running if p.unit.alone}
    busy = {host for p in running for host in p.busy}
    for unit in waiting:
        if unit.alone and unit.host not in busy:
            return Placed(unit, HERE)
    load = {place: sum(place in p.busy and not p.unit.alone for p in running) for place in slots}
    free = [place for place, most in slots.items() if load[place] < most and place not in quiet]
    for unit in waiting if free else ():
        if not unit.alone and unit.host not in quiet:
            return Placed(unit, min(free, key=lambda place: load[place] / slots[place]))
    return None
