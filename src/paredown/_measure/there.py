"""Answers of a model on its host: in this process where that is this machine, else from a process there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from paredown._measure.timing.process import WorkerProcess
from paredown.errors import ConnectionLost, TargetError
from paredown.protocols import Array, Artifact, Feeds, Session
from paredown.runtimes import RUNTIMES
from paredown.targets import Target

TIMEOUT_S = 600.0  # for one answer, of a model that a small board can hardly hold
_MOST_CUTS = 20  # in a row
_AHEAD = 2  # images on their way besides the one that is answered: the link works while the model does


@contextmanager
def session_on_host(place: Target, model: bytes, threads: int = 0) -> Iterator[Session]:
    """A session of the model on the target's host. Raises TargetError where that is away for too long."""
    if place.is_this_machine:
        yield place.compile(model, threads=threads)
        return
    with TemporaryDirectory(prefix="paredown-") as folder:
        file = Path(folder, "model.onnx")
        file.write_bytes(model)
        with HostSession(place, place.build(file, Path(folder)), place.used_threads(threads)) as session:
            yield session


class HostSession:
    """A model that answers on another machine. After a cut it is opened there anew, and asked again."""

    def __init__(self, place: Target, artifact: Artifact, threads: int) -> None:
        self._place, self._artifact, self._threads = place, artifact, threads
        self._worker = self._opened()
        specs = self._worker.specs()
        self.inputs, self.outputs = specs["inputs"], specs["outputs"]

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """The outputs by name."""
        return next(self.run_each([feeds]))

    def run_each(self, feeds: Iterable[Feeds]) -> Iterator[dict[str, Array]]:
        """The outputs for each, in their order; a few are on their way while one is answered."""
        asked = deque[Feeds]()
        for one in feeds:
            self._worker.ask(one)
            asked.append(one)
            if len(asked) > _AHEAD:
                yield self._next(asked)
        while asked:
            yield self._next(asked)

    def _next(self, asked: deque[Feeds]) -> dict[str, Array]:
        """The answer to the first of those asked. After a cut all of them are asked again."""
        for _ in range(_MOST_CUTS):
            try:
                answer = self._worker.answered()
            except TargetError:
                if not self._worker.lost():
                    raise
                self._worker.close()
                self._worker = self._opened()
                for one in asked:
                    self._worker.ask(one)
            else:
                asked.popleft()
                return answer
        raise ConnectionLost(f"the connection to the host {self._place.host.name} is cut again and again")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._worker.close()

    def _opened(self) -> WorkerProcess:
        module = RUNTIMES[self._place.runtime]
        for _ in range(_MOST_CUTS):
            worker = WorkerProcess(
                self._place.host, self._artifact, module, {}, threads=self._threads, timeout_s=TIMEOUT_S
            )
            try:
                worker.load()
            except TargetError:
                lost = worker.lost()
                worker.close()
                if not lost:
                    raise
            else:
                return worker
        raise ConnectionLost(f"the connection to the host {self._place.host.name} is cut again and again")
