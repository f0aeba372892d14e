"""The whole job over several models, from one file to one directory: the wiring of `paredown study`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from paredown._report.several.page import write_index_pages
from paredown.errors import StorageError
from paredown.files import Layout, check_directory, make_directory, write_whole
from paredown.inputs import is_there
from paredown.job import FEEDING_PICTURE, Outcome, command, conclude
from paredown.preparing import Prepared, prepare_asked
from paredown.report_data import read_stories, write_start
from paredown.study.choices import some_of
from paredown.study.drive import drive
from paredown.study.engines import open_engine
from paredown.study.flow import Flow
from paredown.study.flow import Prepared as ReadyWork
from paredown.study.index import Entry, Index, write_index
from paredown.study.lock import Lock
from paredown.study.options import Asked
from paredown.study.plan import Part, Plan
from paredown.study.plan_file import plan_text
from paredown.study.private import Hide, hiding_all, portable_command, portable_path, portable_plan
from paredown.study.status import Journal
from paredown.study.todo import named_recipes
from paredown.study.trials import what_stopped
from paredown.study.work import Say

LAYOUT = Layout(
    "a study of several models",
    ("index.json",),
    ("index.json", "study.toml", "status.json", "lock", "models"),
)


@dataclass(frozen=True)
class PlanOutcome:
    """What a study of several models came to: an Outcome for every part that was finished, by its label."""

    directory: Path
    index: Index
    outcomes: Mapping[str, Outcome]


def run_plan(
    plan: Plan,
    out: Path,
    *,
    root: str = "",
    engine: str = "local",
    jobs: int = 0,
    say: Say,
    typed: str = "",
    force: bool = False,
) -> PlanOutcome:
    """Everything that the plan names, tried, judged and timed; kept in the directory `out`, where it goes on.

    root: where relative paths of the plan start. engine, jobs: see `study.engines`. typed: the command line.
    A part that cannot be tried here is skipped with its reason, and the others go on.
    """
    check_directory(out, LAYOUT, force=force)
    parts = plan.parts()
    asked = {part.label: plan.asked(part, root) for part in parts}
    for one in asked.values():
        named_recipes(one.options, one.limits)  # a typo is found before any work
    make_directory(out)
    lock = Lock(out / "lock")
    try:
        write_whole(out / "study.toml", plan_text(portable_plan(plan, root)).encode())
        hide = hiding_all(asked.values(), out)
        return _Experiment(plan, out, asked, say, portable_command(typed), hide).run(parts, engine, jobs)
    finally:
        lock.release()


@dataclass
class _Experiment:
    plan: Plan
    out: Path
    asked: Mapping[str, Asked]
    say: Say
    typed: str
    hide: Hide
    written: Index | None = None
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def run(self, parts: Sequence[Part], engine_name: str, jobs: int) -> PlanOutcome:
        boards = tuple(dict.fromkeys(p.host for p in self.plan.places if p.host != "local"))
        budget = self.plan.options.budget_s
        deadline = None if budget is None else time.monotonic() + budget
        engine = open_engine(engine_name, jobs, boards)
        journal = Journal(self.out, engine.name, hide=self.hide)
        flows = [self._flow(part, journal) for part in parts]
        try:
            for flow in flows:
                if missing := _missing(self.asked[flow.part.label]):
                    flow.stop(missing, skipped=True)
            self._index(flows)
            drive(flows, engine, journal, lambda: self._index(flows), self._timed, deadline)
            engine.close()
            for flow in flows:
                self._conclude(flow)
                self._index(flows)
        finally:
            engine.close()
            for flow in flows:
                flow.close()
        index = self._index(flows, finished=True)
        if self.outcomes:
            write_index_pages(read_stories(self.out), self.out)
        return PlanOutcome(self.out, index, self._in_order(flows))

    def _flow(self, part: Part, journal: Journal) -> Flow:
        def told(text: str) -> None:
            journal.say(text)
            self.say(text)

        place = part.place
        entry = Entry(part.label, part.model.label, place.label, place.target, place.host, part.seed)
        return Flow(
            part, self.asked[part.label], self.out / entry.folder, entry, prepare_asked, self._begun, told
        )

    def _begun(self, flow: Flow, prepared: ReadyWork) -> None:
        """A part has begun: from now on it can be looked at."""
        assert flow.work is not None
        again = command(flow.asked, flow.directory)
        write_start(flow.directory, flow.work, again, flow.entry.planned, flow.notes)
        if isinstance(prepared, Prepared):
            write_whole(flow.directory / FEEDING_PICTURE, prepared.feeding)

    def _timed(self, flow: Flow) -> None:
        """A part was timed to its end: its report and bundle, but for what takes minutes."""
        if not flow.asked.options.sustained_s:
            self._conclude(flow)

    def _conclude(self, flow: Flow) -> None:
        """Report and bundle of a part that was tried and has none yet. Nothing may be timed meanwhile."""
        if flow.entry.state != "running" or flow.work is None or flow.store is None:
            return
        notes = flow.notes
        if flow.left:
            notes += (f"the budget ran out before {some_of(flow.left)}; run it again to go on",)
        flow.say(f"{flow.part.label}: writing the report and the bundle")
        try:
            self.outcomes[flow.part.label] = conclude(flow.work, flow.asked, flow.store, notes)
        except StorageError:
            raise
        except (
            Exception
        ) as e:  # such as a runtime that cannot profile: the trials are there, and others' to come
            flow.stop(what_stopped(e))
        else:
            flow.entry = replace(flow.entry, state="finished", has_report=True)

    def _in_order(self, flows: Sequence[Flow]) -> dict[str, Outcome]:
        """What was concluded, in the order of the plan."""
        labels = (flow.part.label for flow in flows)
        return {label: self.outcomes[label] for label in labels if label in self.outcomes}

    def _index(self, flows: Sequence[Flow], *, finished: bool = False) -> Index:
        """Writes index.json where it changed."""
        matrix = self.plan.matrix
        index = Index(
            matrix.title or "Study",
            matrix.about,
            self.typed,
            datetime.now(UTC).isoformat(timespec="seconds"),
            self.plan.seeds,
            tuple(flow.entry for flow in flows),
            self.plan.published,
            finished=finished,
        )
        before = self.written
        if before is None or replace(before, made_on=index.made_on) != index:
            write_index(self.out, index, self.hide)
            self.written = index
        return index


def _missing(asked: Asked) -> str:
    """Which of the files that a part asks for is not there; "" where all are."""
    options = asked.options
    wanted = {"model": asked.model, "data": asked.data, "calib": asked.calib, "card": options.card}
    for what, path in {**wanted, "learn_from": options.learn_from}.items():
        if path is None or path.startswith("demo:"):
            continue
        if not is_there(path):
            return f"its {what} is not there: {portable_path(path)}"
    return ""
