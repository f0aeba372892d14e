"""status.json: what a study does right now, for those who watch it from another process.

It is written by the process that holds the directory's lock, at most once a second, and says nothing that the
trials do not: without it nothing is lost.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import TypeVar

from paredown.errors import StorageError
from paredown.files import write_whole
from paredown.protocols import Progress
from paredown.study.engines.engine import HERE, Done, Running
from paredown.study.private import Hide, hidden
from paredown.study.records import json_text, plain, read_json
from paredown.study.work import Say
from paredown.typed import build

T = TypeVar("T")

FILE = "status.json"
SECONDS_BETWEEN = 1.0
MOST_SAID = 8


@dataclass(frozen=True)
class Busy:
    """A unit that runs. place: the machine, or the board that is timed. since_s: seconds of the epoch. waits:
    that another run is timed there meanwhile."""

    kind: str
    part: str
    label: str
    place: str
    since_s: float
    waits: str = ""


@dataclass(frozen=True)
class Status:
    """left_s: an estimate; None where nothing tells it. said: the last lines. Times: seconds of the epoch."""

    engine: str
    started_s: float
    updated_s: float
    left_s: float | None = None
    busy: tuple[Busy, ...] = ()
    said: tuple[str, ...] = ()


@dataclass
class Journal:
    """Keeps status.json up to date while a study runs.

    ready: whether the directory is this process's. hide: takes out of a text what tells of this machine.
    """

    directory: Path
    engine: str
    ready: bool = True
    hide: Hide = str
    started_s: float = field(default_factory=time.time)
    _said: list[str] = field(default_factory=list)
    _seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # by kind of unit
    _written_s: float = 0.0

    def say(self, text: str) -> None:
        self._said = [*self._said, *text.splitlines()][-MOST_SAID:]

    def telling(self, say: Say) -> Say:
        """The same Say, heard here too."""

        def told(text: str) -> None:
            self.say(text)
            self.write(None, ())
            say(text)

        return told

    def following(self, progress: Progress) -> Progress:
        """The same Progress, seen here too."""

        def followed(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
            busy = Busy("", "", what, HERE, time.time())
            for item in progress(items, what, total):
                self.write(None, [busy])
                yield item

        return followed

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

    def write(self, left_s: float | None, busy: Sequence[Busy]) -> None:
        """Writes the file, unless that was done a moment ago."""
        moment = time.time()
        if not self.ready or moment - self._written_s < SECONDS_BETWEEN:
            return
        self._written_s = moment
        found = Status(self.engine, self.started_s, moment, left_s, tuple(busy), tuple(self._said))
        write_whole(self.directory / FILE, json_text(hidden(plain(found), self.hide)).encode())


def busy_with(running: Running, waits: str = "") -> Busy:
    """A unit that runs, as the status tells it."""
    unit = running.unit
    place = unit.host if unit.alone else running.place
    return Busy(unit.kind, unit.part, unit.label, place, running.since_s, waits)


def read_status(directory: Path) -> Status | None:
    """What was written last; None where nothing was. Raises StorageError."""
    path = directory / FILE
    if not path.is_file():
        return None
    try:
        return build(Status, read_json(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as e:
        raise StorageError(f"{path} cannot be read", got=str(e)[:200]) from e
