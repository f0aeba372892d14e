"""Drives the parts of a study through an engine: one process that writes, whatever runs the units."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

from paredown.study.engines.engine import HERE, Done, Engine, Kind
from paredown.study.flow import Flow
from paredown.study.status import Journal, busy_with

_AHEAD: dict[str, tuple[Kind, ...]] = {
    "make": ("make", "judge", "time"),
    "judge": ("judge", "time"),
    "time": ("time",),
}


def drive(
    flows: Sequence[Flow],
    engine: Engine,
    journal: Journal,
    changed: Callable[[], object],
    timed: Callable[[Flow], object],
    deadline: float | None = None,
) -> None:
    """Runs every flow to its end. changed: called when the state of a part may have. deadline: of
    `time.monotonic`; then no further model is made, and those that are made are finished.

    timed: called with a flow whose last timing has ended, while what it was timed on and this machine rest.
    Where something is timed here, it is not called: no flow is bound to get it.

    Raises StorageError where the disk does not take a result: then nothing more can be kept.
    """
    by_label = {flow.part.label: flow for flow in flows}
    for flow in flows:
        engine.submit(flow.units())
    still = 0
    while not all(flow.ended for flow in flows):
        if deadline is not None and time.monotonic() > deadline:
            _leave_unmade(flows, engine)
        ended = engine.done(0.5)
        for done in ended:
            flow = by_label[done.unit.part]
            _take(flow, done, engine, journal)
            if flow.ended and done.unit.kind == "time" and not _times_here(engine):
                timed(flow)
            changed()
        still = 0 if ended or engine.running() else still + 1
        if still > 1:  # nothing ran, nothing was to be tried again, and nothing may start
            raise RuntimeError("a study stands still")
        _report(flows, engine, journal)


def _take(flow: Flow, done: Done, engine: Engine, journal: Journal) -> None:
    """Keeps what came of a unit and hands on what follows from it."""
    journal.took(done)
    if flow.ended:
        return  # its float model failed while others of it still ran
    flow.take(done)
    if flow.ended:
        engine.withdraw(lambda unit: unit.part == flow.part.label)
    engine.submit(flow.units())


def _times_here(engine: Engine) -> bool:
    return any(r.unit.alone and r.unit.host == HERE for r in engine.running())


def _leave_unmade(flows: Sequence[Flow], engine: Engine) -> None:
    for unit in engine.withdraw(lambda unit: unit.kind == "make"):
        flow = next(f for f in flows if f.part.label == unit.part)
        flow.leave(unit)
        engine.submit(flow.units())


def _report(flows: Sequence[Flow], engine: Engine, journal: Journal) -> None:
    jobs = [job for flow in flows for job in flow.jobs]
    ahead: Counter[str] = Counter(kind for job in jobs for kind in _AHEAD.get(job.stage, ()))
    unknown = any(flow.work is None and not flow.ended for flow in flows)
    running = engine.running()
    left = None if unknown else journal.left_s(ahead, len(running))
    by_label = {flow.part.label: flow for flow in flows}
    journal.write(left, [busy_with(r, by_label[r.unit.part].waits(r.unit)) for r in running])
