"""status.json: what a study does right now, for those who watch it from another process.

It is written by the process that holds the directory's lock, at most once a second, and says nothing that the
trials do not: without it nothing is lost.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

from paredown.errors import StorageError
from paredown.files import write_whole
from paredown.study.engines.engine import Done, Running
from paredown.study.records import json_text, read_json
from paredown.typed import build

FILE = "status.json"
SECONDS_BETWEEN = 1.0
MOST_SAID = 8


@dataclass(frozen=True)
class Busy:
    """A unit that runs. place: the machine, or the board that is timed. since_s: seconds of the epoch."""

    kind: str
    part: str
    label: str
    place: str
    since_s: float


@dataclass(frozen=True)
class Status:
    """done, todo: trials. left_s: an estimate; None where nothing tells it. said: the last lines. Times are
    seconds of the epoch."""

    engine: str
    started_s: float
    updated_s: float
    done: int
    todo: int
    left_s: float | None = None
    busy: tuple[Busy, ...] = ()
    said: tuple[str, ...] = ()


@dataclass
class Journal:
    """Keeps status.json up to date while a study runs. jobs: units side by side."""

    directory: Path
    engine: str
    started_s: float = field(default_factory=time.time)
    _said: list[str] = field(default_factory=list)
    _seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # by kind of unit
    _written_s: float = 0.0

    def say(self, text: str) -> None:
        self._said = [*self._said, *text.splitlines()][-MOST_SAID:]

    def took(self, done: Done) -> None:
        """Notes how long a unit took."""
        self._seconds[done.unit.kind].append(done.seconds)

    def left_s(self, units: Mapping[str, int], jobs: int) -> float | None:
        """How long the rest takes, as long as those before on average; None before one of every kind ended.

        units: how many of each kind are left.
        """
        if any(n and not self._seconds[kind] for kind, n in units.items()):
            return None
        each = {kind: n * mean(self._seconds[kind]) for kind, n in units.items() if n}
        return each.pop("time", 0.0) + sum(each.values()) / max(jobs, 1)

    def write(
        self, done: int, todo: int, left_s: float | None, running: Sequence[Running], *, now: bool = False
    ) -> None:
        """Writes the file, unless that was done a moment ago and it is not asked for `now`."""
        moment = time.time()
        if not now and moment - self._written_s < SECONDS_BETWEEN:
            return
        self._written_s = moment
        busy = tuple(
            Busy(
                r.unit.kind,
                r.unit.part,
                r.unit.label,
                r.unit.host if r.unit.alone else r.place,
                r.since_s,
            )
            for r in running
        )
        found = Status(self.engine, self.started_s, moment, done, todo, left_s, busy, tuple(self._said))
        write_whole(self.directory / FILE, json_text(found).encode())


def read_status(directory: Path) -> Status | None:
    """What was written last; None where nothing was. Raises StorageError."""
    path = directory / FILE
    if not path.is_file():
        return None
    try:
        return build(Status, read_json(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as e:
        raise StorageError(f"{path} cannot be read", got=str(e)[:200]) from e
