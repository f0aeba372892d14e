"""One part of a study on its way through an engine: what is done of it, and which units come next.

    prepare -> judge float -------------> judge, each ->|  time float, time each: one after the other,
            -> make, each ---------------^              |  once nothing of the part is left to judge

All that a unit gives is on the disk before the next: whatever is killed, what was finished is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Protocol

from paredown._compress.recipe import Compressed, Recipe
from paredown.analyze.against_float import FLOAT
from paredown.detections import Prediction
from paredown.errors import MissingDependency, StorageError
from paredown.graph.load import load_model
from paredown.measurement import Trial
from paredown.study import units
from paredown.study.engines.engine import Done, Unit
from paredown.study.evidence import save_evidence
from paredown.study.index import Entry
from paredown.study.options import Asked
from paredown.study.pairs import Pair
from paredown.study.plan import Part
from paredown.study.predictions import load_predictions, predictions_path, save_predictions
from paredown.study.private import hiding, portable
from paredown.study.resume import apart_notes
from paredown.study.store import Store
from paredown.study.todo import named_recipes, todo
from paredown.study.trial import Judged
from paredown.study.trials import what_stopped
from paredown.study.unfinished import (
    Unfinished,
    drop_unfinished,
    load_unfinished,
    save_unfinished,
    waits_path,
)
from paredown.study.waits import read_wait
from paredown.study.words import figures
from paredown.study.work import Say, Work
from paredown.tasks import headline

Stage = Literal["make", "judge", "time", "done", "left"]


class Prepared(Protocol):
    """What preparing gives (`preparing.Prepared`)."""

    @property
    def work(self) -> Work: ...
    @property
    def told(self) -> tuple[str, ...]: ...


@dataclass
class Job:
    """One trial on its way. stage: what is to be done next."""

    pair: Pair
    stage: Stage
    made: Unfinished | None = None
    submitted: bool = False

    @property
    def is_reference(self) -> bool:
        """Whether it is the float model that all are compared with."""
        return self.pair.label == FLOAT


@dataclass
class Flow:
    """prepare: what makes ready what was asked, by name for other processes. begun: called with the flow once
    it is ready, before the first trial. directory: of the part."""

    part: Part
    asked: Asked
    directory: Path
    entry: Entry
    prepare: Callable[[Asked], Prepared]
    begun: Callable[[Flow, Prepared], None]
    say: Say
    jobs: list[Job] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    work: Work | None = None
    store: Store | None = None
    _reference: list[Prediction] | None = None
    _facts: Mapping[str, object] = field(default_factory=dict)
    _preparing: bool = False
    _waiting: tuple[Unit, str] | None = None

    @property
    def ended(self) -> bool:
        if self.entry.state in ("skipped", "failed"):
            return True
        return self.work is not None and all(job.stage in ("done", "left") for job in self.jobs)

    @property
    def left(self) -> tuple[str, ...]:
        """Labels of what the budget left untried."""
        return tuple(job.pair.label for job in self.jobs if job.stage == "left")

    def units(self) -> list[Unit]:
        """What may be submitted now and was not."""
        if self.entry.state in ("skipped", "failed"):
            return []
        if self.work is None:
            if self._preparing:
                return []
            self._preparing = True
            return [Unit("prepare", self.part.label, "", self.prepare, (), (self.asked,))]
        found = [(job, unit) for job in self.jobs if (unit := self._unit(job)) is not None]
        for job, _ in found:
            job.submitted = True
        return [unit for _, unit in found]

    def take(self, done: Done) -> None:
        """Keeps what came of a unit. Raises StorageError where the disk does not take it."""
        if done.unit.kind == "prepare":
            self._take_prepared(done)
            return
        job = next(j for j in self.jobs if j.pair.label == done.unit.label)
        job.submitted = False
        if done.error is not None:
            self._failed(job, done.error)
        elif done.unit.kind == "make":
            self._take_made(job, done.value)
        elif done.unit.kind == "judge":
            self._take_judged(job, done.value)
        else:
            self._finished(job, done.value)

    def waits(self, unit: Unit) -> str:
        """What a timing that runs waits for, said once; "" where it does not."""
        text = read_wait(waits_path(self.directory, unit.label)) if unit.kind == "time" else ""
        if text and self._waiting != (unit, text):
            self.say(f"{self.part.label} {unit.label}: {text}")
            self._waiting = unit, text
        return text

    def leave(self, unit: Unit) -> None:
        """The unit, taken back from the engine, is not done any more."""
        for job in self.jobs:
            if job.pair.label == unit.label:
                job.stage = "left"

    def close(self) -> None:
        if self.store is not None:
            self.store.__exit__(None, None, None)

    def stop(self, why: str, *, skipped: bool = False) -> None:
        """Nothing more is tried of this part."""
        self.entry = replace(self.entry, state="skipped" if skipped else "failed", why=why)
        self.say(f"{self.part.label} {self.entry.state}: {why.splitlines()[0]}")

    # -- units -----------------------------------------------------------------------------------------------

    def _unit(self, job: Job) -> Unit | None:
        """The next of a job, where it may be submitted now."""
        pair, bench, label = job.pair, job.pair.work.bench, self.part.label
        if job.submitted:
            return None
        if job.stage == "make":
            given: tuple[Any, ...] = (pair.recipe, self.directory / "learning")
            return Unit("make", label, pair.label, units.make, (label, pair.work), given)
        if job.stage == "judge" and (job.is_reference or self._reference is not None):
            model = pair.work.model if job.made is None else load_model(self._file(job.made))
            answers = "" if bench.answers_here or bench.target.is_this_machine else bench.target.host.name
            given = (pair.recipe, model, self._facts)
            return Unit("judge", label, pair.label, units.judge, (pair.work, self._reference), given, answers)
        if job.stage == "time" and not any(j.stage in ("make", "judge") for j in self.jobs):
            assert job.made is not None
            file, baseline = self._file(job.made), self.directory / "models" / f"{FLOAT}.onnx"
            note = waits_path(self.directory, pair.label)
            given = (pair.recipe, job.made, load_model(file), file, baseline, note)
            host, alone = bench.target.host.name, bench.target.can_time
            return Unit(
                "time", label, pair.label, units.time, (pair.work,), given, host if alone else "", alone
            )
        return None

    def _file(self, made: Unfinished) -> Path:
        return self.directory / made.model_file

    # -- what came of them -----------------------------------------------------------------------------------

    def _take_prepared(self, done: Done) -> None:
        try:
            if done.error is not None:
                raise done.error
            self._begin(done.value)
        except StorageError:
            raise
        except MissingDependency as e:
            self.stop(str(e), skipped=True)
        except Exception as e:  # a model that cannot be read must not cost the others their trials
            self.stop(what_stopped(e))

    def _begin(self, prepared: Prepared) -> None:
        limits, options = self.asked.limits, self.asked.options
        work = replace(prepared.work, hide=hiding(self.asked, self.directory))
        tried = todo(work, named_recipes(options, limits), limits)
        limits.check(headline(work.bench.card.task, work.images.judged.has_truth))
        self.store = store = Store(self.directory, hide=work.hide)
        self._facts = work.bench.environment()
        store.settle(portable(self.asked).tables(), work.settings(), self._facts)
        apart = apart_notes(store.apart(self._facts), options.keep_other)
        self.notes = (*store.notes, *apart, *work.images.notes, *tried.left_out)
        self.work = work
        pairs = (Pair(work, Recipe(), FLOAT), *tried.pairs)
        self.entry = replace(self.entry, state="running", planned=tuple(p.label for p in tried.pairs))
        finished = {(t.recipe, t.runtime): t for t in store.trials() if t.error is None}
        self.jobs = [self._job(pair, (pair.recipe.name, pair.runtime) in finished) for pair in pairs]
        for told in (*prepared.told, *self.notes):
            self.say(f"{self.part.label}: {told}")
        self.begun(self, prepared)

    def _job(self, pair: Pair, finished: bool) -> Job:
        """What is left to do of a pair."""
        is_reference = pair.label == FLOAT
        kept = self._kept_predictions(pair) if is_reference else None
        if is_reference and kept is not None:
            self._reference = kept
        if finished and (not is_reference or kept is not None):
            drop_unfinished(self.directory, pair.label)  # a study may be killed right behind the trial
            return Job(pair, "done")
        made = load_unfinished(self.directory, pair.recipe.name, pair.label)
        if made is not None and made.readings is not None and (not is_reference or kept is not None):
            return Job(pair, "time", made)
        return Job(pair, "judge" if is_reference or made is not None else "make", made)

    def _kept_predictions(self, pair: Pair) -> list[Prediction] | None:
        bench = pair.work.bench
        return load_predictions(predictions_path(self.directory, FLOAT), len(bench.judged), bench.card.task)

    def _take_made(self, job: Job, made: Compressed) -> None:
        job.made = self._keep_model(job, made.model.data, made)
        job.stage = "judge"
        self.say(f"{self.part.label} {job.pair.label}: made in {made.seconds:.1f} s")

    def _take_judged(self, job: Job, judged: Judged) -> None:
        assert self.work is not None
        if job.made is None:  # the float model
            job.made = self._keep_model(job, self.work.model.data, None)
        path = predictions_path(self.directory, job.pair.label)
        save_predictions(path, judged.predictions, job.pair.work.bench.card.task)
        save_evidence(self.directory, job.pair.label, judged.evidence)
        if job.is_reference:
            self._reference = judged.predictions
        job.made, job.stage = replace(job.made, readings=judged.readings), "time"
        save_unfinished(self.directory, job.made, self.work.hide)

    def _keep_model(self, job: Job, data: bytes, made: Compressed | None) -> Unfinished:
        assert self.store is not None
        assert self.work is not None
        pair = job.pair
        file = self.store.save_model(data, pair.label)
        kept = Unfinished(pair.recipe.name, pair.label, file, sha256(data).hexdigest())
        if made is not None:
            kept = replace(kept, log=made.log, seconds={"compress": made.seconds})
        save_unfinished(self.directory, kept, self.work.hide)
        return kept

    def _finished(self, job: Job, trial: Trial) -> None:
        assert self.store is not None
        self.store.append(trial)
        drop_unfinished(self.directory, trial.label)
        job.stage = "done"
        baseline = next((t for t in self.store.trials() if t.recipe == FLOAT), trial)
        told = "failed: " + trial.error.splitlines()[0] if trial.error else figures(trial, baseline)
        self.say(f"{self.part.label} {trial.label}: {told}")

    def _failed(self, job: Job, error: Exception) -> None:
        """A recipe that fails is a trial with its error; without the float model there is nothing to compare
        with."""
        if isinstance(error, StorageError):
            raise error
        if job.is_reference:
            self.stop(what_stopped(error))
            return
        trial = job.pair.work.trial(job.pair.recipe.name, job.pair.label)
        self._finished(job, replace(trial, error=what_stopped(error)))
