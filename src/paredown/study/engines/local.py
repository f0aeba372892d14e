"""The engine `local`: processes of this machine, each of which runs one unit after the other."""

from __future__ import annotations

import multiprocessing.connection
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

from paredown.hosts import open_host
from paredown.hosts.processes import memory_kills
from paredown.hosts.worker import Worker
from paredown.study.engines.engine import CRASHES, HERE, KILLS
from paredown.study.engines.gate import Placed
from paredown.study.engines.queued import Call, Lost, Queued

_FROM_OUTSIDE = ("by SIGKILL", "by SIGTERM", "by SIGINT", "by SIGHUP")
MEMORY_OF_ONE = 3 << 30  # bytes that making a model of some ten million weights may take


@dataclass
class _Handle:
    """oom: how many processes the system had ended for want of memory when the call began."""

    worker: Worker
    oom: int


class LocalEngine(Queued):
    """jobs: units side by side on this machine; what times a board has a process of its own besides."""

    name = "local"

    def __init__(self, jobs: int) -> None:
        super().__init__()
        self.jobs, self._idle = jobs, list[Worker]()
        self._folder = TemporaryDirectory(prefix="paredown-")  # also of what workers that are killed leave

    def slots(self) -> Mapping[str, int]:
        return {HERE: self.jobs}

    def begin(self, placed: Placed) -> _Handle:
        worker = self._idle.pop() if self._idle else Worker(self._folder.name)
        handle = _Handle(worker, memory_kills())
        try:
            worker.start(placed.unit.function, (*placed.unit.shared, *placed.unit.given))
        except OSError:  # it was killed while it had nothing to do, which its answer will tell
            return handle
        return handle

    def wait(self, timeout_s: float) -> Sequence[Call]:
        by_connection = {call.handle.worker.connection: call for call in self.calls}
        ready = multiprocessing.connection.wait(list(by_connection), timeout_s)
        return [call for connection, call in by_connection.items() if connection in ready]

    def answer(self, call: Call) -> Any:
        worker: Worker = call.handle.worker
        try:
            value = worker.answer()
        except EOFError:
            how = worker.how_it_ended()
            worker.close()
            starved = memory_kills() > call.handle.oom
            raise Lost(how, starved, KILLS if how in _FROM_OUTSIDE else CRASHES) from None
        except Exception:
            self._idle.append(worker)
            raise
        self._idle.append(worker)
        return value

    def close(self) -> None:
        for worker in (*self._idle, *(call.handle.worker for call in self.calls)):
            worker.close()
        self._idle, self.calls = [], []
        self._folder.cleanup()


def usual_jobs() -> int:
    """One for each core, as far as memory goes."""
    machine = open_host().facts()
    return max(min(machine.cores_usable, machine.memory_bytes // MEMORY_OF_ONE), 1)


def open_local(jobs: int, boards: Sequence[str]) -> LocalEngine:
    """The engine of this machine; boards are reached from it as they are."""
    return LocalEngine(jobs or usual_jobs())
