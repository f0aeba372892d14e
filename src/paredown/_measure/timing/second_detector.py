"""A neighbour that is the model itself, in a second process: another camera, answered without a pause."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from paredown._measure.timing.rounds import Way, start
from paredown.errors import ParedownError
from paredown.targets import Target

_BITE_S = 0.1  # of work at a time, after which it looks whether it is to stop


class SecondDetector:
    """Quiet until `go`; `did`: how many images it answered in how many seconds, each time."""

    def __init__(self, way: Way, place: Target) -> None:
        """Loads it. Raises TargetError, OutOfMemory where it cannot run beside."""
        self._worker, warm = start(way, place, _BITE_S)
        try:
            self._turn: int = warm().turn
        except BaseException:
            self._worker.close()
            raise
        self.did: list[tuple[float, float]] = []
        self._stop = threading.Event()
        self._answers: list[Mapping[str, Any]] = []
        self._error: ParedownError | None = None

    def go(self) -> None:
        self._stop.clear()
        self._answers.clear()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """It rests. Raises what stopped it before."""
        self._stop.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        times = sum(len(answer["latency_s"]) for answer in self._answers)
        self.did.append((times, sum(answer["wall_s"] for answer in self._answers)))

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                self._answers.append(self._worker.run(self._turn))
        except ParedownError as e:
            self._error = e

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.close()
