"""What a neighbour on the same machine does to a model's latency, and which measures of the user help.

Every way to run the model has a warm worker. In each round all take a turn alone and all take a turn beside
the neighbour (`hosts/neighbour.py`), so that whatever else changes meets all of them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from paredown._measure.timing.lock import TimingLock
from paredown._measure.timing.rounds import Runner, Way, against, start, tail, typical
from paredown._measure.timing.second_detector import SecondDetector
from paredown.endurance import Interference, Variant
from paredown.errors import TargetError
from paredown.protocols import Array, Host, Progress, silent
from paredown.targets import Target

KINDS = {
    "cpu": "another program computes on one core without a pause",
    "memory": "another program copies memory without a pause",
    "io": "another program writes, syncs and reads files without a pause",
    "video": "another program decodes 1920x1080 video at 30 frames a second",
    "detector": "the same model answers a second camera without a pause",
}
_UNITS = {
    "cpu": "products of matrices",
    "memory": "copies of 64 MB",
    "io": "files of 8 MB",
    "video": "frames decoded",
    "detector": "images answered",
}
_ROUNDS = 8
_START_S, _STOP_S = 120.0, 30.0  # for a neighbour to begin; to end what it is doing
_PLAIN = "as it is"
_DETECTOR = "detector"
_SCHEDULED = "paredown._measure.timing.scheduled"


class Neighbour:
    """The disturbing program on a host; quiet until `go`. Raises TargetError where it cannot work there."""

    def __init__(self, host: Host, kind: str) -> None:
        module = "paredown.hosts.video_neighbour" if kind == "video" else "paredown.hosts.neighbour"
        self._process = host.spawn(module, [] if kind == "video" else [kind])
        self.did: list[tuple[float, float]] = []
        self._fails = f"the neighbour {kind!r} cannot work on {host.name}"
        if self._line(_START_S).strip() != b"ready":
            error = self._failure()
            self._process.close()
            raise error

    def go(self) -> None:
        self._say(b"go\n")

    def stop(self) -> None:
        self._say(b"stop\n")
        line = self._line(_STOP_S)
        if not line.endswith(b"\n"):
            raise self._failure()
        answer = json.loads(line)
        self.did.append((answer["times"], answer["seconds"]))

    def _line(self, within_s: float) -> bytes:
        """What it says next; a program that hangs is ended, and then says nothing."""
        limit = threading.Timer(within_s, self._process.kill)
        limit.start()
        try:
            return self._process.stdout.readline()
        finally:
            limit.cancel()

    def _say(self, word: bytes) -> None:
        try:
            self._process.stdin.write(word)
            self._process.stdin.flush()
        except OSError as e:  # it has ended
            raise self._failure() from e

    def _failure(self) -> TargetError:
        return TargetError(self._fails, got=self._process.errors()[-500:] or None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.close()


def ways(
    model: Path, feeds: Mapping[str, Array], threads: int, cores: int, smaller: Way | None = None
) -> tuple[Way, ...]:
    """The model as it is, then with each measure that a user can take. smaller: at a smaller input."""

    def way(name: str, count: int = threads, **scheduling: object) -> Way:
        program = (_SCHEDULED, json.dumps(scheduling)) if scheduling else ("paredown._measure.timing.worker",)
        return Way(name, model, feeds, count, program)

    found = [way(_PLAIN)]
    if threads > 1:
        found.append(way(f"one core fewer ({threads - 1} of {threads} threads)", threads - 1))
    if threads > 2:
        found.append(way("one thread", 1))
    if threads < cores:
        found.append(way(f"all cores ({cores} threads)", cores))
    if cores > 1:
        found.append(way("one thread, pinned to the last core", 1, cores=[cores - 1]))
    found += [way("priority raised (nice -10)", nice=-10), way("real-time priority (SCHED_FIFO 10)", fifo=10)]
    return (*found, *([] if smaller is None else [smaller]))


def interfere(
    kind: str, tried: Sequence[Way], place: Target, *, rounds: int = _ROUNDS, progress: Progress = silent
) -> Interference:
    """The ways alone and beside a neighbour of that kind; tried[0] is the model as it is.

    Raises TargetError where the neighbour or the model as it is does not run.
    """
    place.require_timing()
    refused: dict[str, str] = {}
    runners: list[Runner] = []
    with ExitStack() as stack:
        stack.enter_context(TimingLock(place.host, progress))
        neighbour: Neighbour | SecondDetector
        if kind == _DETECTOR:
            neighbour = stack.enter_context(SecondDetector(tried[0], place))
        else:
            neighbour = stack.enter_context(Neighbour(place.host, kind))
        for way in tried:
            if way.refused:
                refused[way.name] = way.refused
                continue
            worker, warm = start(way, place)
            stack.enter_context(worker)
            try:
                runners.append(warm())
            except TargetError as e:
                if way.name == tried[0].name:
                    raise
                what = e.what.removeprefix(f"{way.model.name}: ")
                refused[way.name] = f"{what}: {e.got}" if e.got else what
        for i in progress(range(rounds), f"beside {kind}", total=rounds):
            order = runners if i % 2 == 0 else runners[::-1]
            for runner in order:
                runner.take("alone")
            neighbour.go()
            for runner in order:
                runner.take("beside")
            neighbour.stop()
    times, seconds = (sum(column) for column in zip(*neighbour.did, strict=True))
    did = f"{KINDS[kind]}: {times / seconds:.1f} {_UNITS[kind]} a second"
    return Interference(kind, did, tuple(_variant(way.name, runners, refused) for way in tried))


def _variant(name: str, runners: Sequence[Runner], refused: Mapping[str, str]) -> Variant:
    if name in refused:
        return Variant(name, refused=refused[name])
    mine, plain = next(r for r in runners if r.way.name == name), runners[0]
    alone, beside = mine.latencies("alone"), mine.latencies("beside")
    theirs = plain.latencies("beside")
    return Variant(
        name,
        typical("latency_s", alone),
        typical("latency_s", beside),
        typical("latency_p95_s", tail(alone)),
        typical("latency_p95_s", tail(beside)),
        None if mine is plain else against(beside, theirs),
        None if mine is plain else against(tail(beside), tail(theirs)),
    )
