"""The search over runtime x recipe x size: quick timings, accuracy for what can still win, full timing.

    floats of every place -> quick INT8 of every place -> the others, the most promising first -> finalists

The idea of a race (Maron and Moore, Hoeffding races, NIPS 1993): who is surely behind runs no further.
Nothing is left out without a word: every choice is said, kept (choices.json) and stands in the report.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

from paredown._compress.recipe import Compressed
from paredown.analyze.against_float import UNJUDGED, accuracy_of, baseline_of, ratio_of
from paredown.detections import Prediction
from paredown.errors import StorageError
from paredown.measurement import Doubt, Quantity, Trial
from paredown.study.bench import split
from paredown.study.choices import OUT_OF_TIME, Choice, What, write_choices
from paredown.study.environments import asks_runtime
from paredown.study.evidence import save_evidence
from paredown.study.limits import Limits
from paredown.study.pairs import Pair
from paredown.study.predictions import predictions_path, save_predictions
from paredown.study.quick_looks import PROBE, QUICK, at_best, likely_s, promise, quick_look
from paredown.study.resume import kept_before
from paredown.study.rivals import finalists, outrun
from paredown.study.store import Store, model_of
from paredown.study.trial import judge, make
from paredown.study.trials import minutes, result_line, what_stopped
from paredown.study.words import TIMES

BUDGET_S = 20 * 60.0  # where no budget is named
FINAL_SHARE = 0.2  # of the time, for timing the last few at length
SHORTLY = "quick"  # the kind of the doubt


@dataclass
class Race:
    """One race: what it tries, and what it knows so far. deadline: of `time.monotonic`; the last part of the
    time until then is kept for the finalists."""

    pairs: Sequence[Pair]
    store: Store
    reference: list[Prediction]
    limits: Limits
    deadline: float | None = None
    choices: list[Choice] = field(default_factory=list)
    started: float = field(default_factory=monotonic)
    probes: dict[tuple[str, int], float | str] = field(default_factory=dict)

    def run(self) -> tuple[Choice, ...]:
        """Fills the store; returns what was left out."""
        floats = [p for p in self.pairs if p.is_float]
        others = [p for p in self.pairs if not p.is_float]
        self._say(f"{len(self.pairs)} pairs of recipe and runtime, the float models of the runtimes first")
        self._all(floats)
        self._probe([p for p in others if p.in_integers and kept_before(p, self.store) is None])
        if others:
            self._say("the other pairs, the most promising first; only what can still win is judged")
        self._all(sorted(others, key=lambda p: promise(p, others, self._known(p))))
        self._time_finalists()
        write_choices(self.store.directory, self.choices, self.pairs[0].work.hide if self.pairs else str)
        return tuple(self.choices)

    @property
    def _baseline(self) -> Trial:
        found = baseline_of(self.store.trials())
        if found is None:
            raise StorageError("the float model's trial is gone from the study")
        return found

    @property
    def _left_s(self) -> float:
        """Seconds until the finalists must be timed."""
        if self.deadline is None:
            return math.inf
        return self.deadline - FINAL_SHARE * (self.deadline - self.started) - monotonic()

    def _late_for(self, pair: Pair) -> str:
        """Why it is too late for the pair: less time is left than it is likely to take. "" elsewhere."""
        left, likely = self._left_s, likely_s(pair, self.store.trials())
        if left > likely:
            return ""
        return f"{OUT_OF_TIME} for it: {minutes(left)} left, {minutes(likely)} likely"

    def _say(self, text: str) -> None:
        if self.pairs:
            self.pairs[0].work.say(text)

    def _leave(self, pair: Pair, what: What, why: str) -> None:
        self.choices.append(Choice(pair.label, pair.runtime, pair.pixels, what, why))
        write_choices(self.store.directory, self.choices, pair.work.hide)
        self._say(f"    {what}: {why}")

    def _all(self, pairs: Sequence[Pair]) -> None:
        late: list[Choice] = []  # one line for all that comes after the budget's end
        for done, pair in enumerate(pairs):
            trial = kept_before(pair, self.store)
            if trial is not None and accuracy_of(trial) is not None:
                self._say(f"{pair.label}: measured before, kept")
                continue
            what: What = "not tried" if trial is None else "not judged"
            if self._left_s <= 0:
                late.append(Choice(pair.label, pair.runtime, pair.pixels, what, OUT_OF_TIME))
                continue
            self._say(
                f"[{done + 1}/{len(pairs)}] {pair.label}, {minutes(monotonic() - self.started)} elapsed"
            )
            if why := self._late_for(pair):
                self._leave(pair, what, why)
                continue
            if trial is None and (why := self._hopeless(pair)):
                self._leave(pair, "not tried", why)
                continue
            self._try(pair, trial)
        self.choices += late
        if late:
            self._say(f"{OUT_OF_TIME} before {len(late)} of the {len(pairs)} pairs")

    def _try(self, pair: Pair, trial: Trial | None) -> None:
        """Makes and times the pair's model where that was not done before, and judges it where it may win."""
        blank = pair.work.trial(pair.recipe.name, pair.label)
        try:
            trial = self._timed(pair) if trial is None else trial
            ratio = ratio_of(trial)
            own_float = pair.is_float and not pair.pixels  # shows whether the runtime's files are right
            if ratio is not None and not own_float and (why := self._outrun(ratio, pair.label)):
                self.store.append(self._unjudged(trial, why))
                self._leave(pair, "not judged", why)
                return
            trial = self._judged(pair, trial)
        except StorageError:
            raise
        except Exception as e:  # also a defect in one pair must not cost the user what the others found
            trial = replace(blank, error=what_stopped(e))
        self.store.append(trial)
        self._say(f"    {result_line(trial, self.store)}")

    def _timed(self, pair: Pair) -> Trial:
        """The trial with its model on the disk, timed in a few rounds."""
        work = pair.work.sized_for(pair.recipe)
        made = self._made_elsewhere(pair) or make(work, pair.recipe, self.store.directory / "learning")
        file = self.store.directory / self.store.save_model(made.model.data, pair.label)
        timed = work.bench.time(
            made.model, file, self._float_file, work.progress, what=("latency", "memory"), plan=QUICK
        )
        if timed.quantities:  # none where this machine is not the target
            timed = replace(timed, doubts=(*timed.doubts, Doubt(SHORTLY, "timed in a few short rounds")))
        return replace(
            work.trial(pair.recipe.name, pair.label),
            model_file=f"models/{file.name}",
            measurement=work.bench.measurement(made.model, work.bench.judge(made.model, None, None), timed),
            log=made.log,
            seconds={"compress": made.seconds, **timed.seconds},
        )

    def _judged(self, pair: Pair, trial: Trial) -> Trial:
        """The timed trial with its accuracy."""
        work, model = pair.work.sized_for(pair.recipe), model_of(self.store.directory, trial)
        judged = judge(work, model, self.reference)
        path = predictions_path(self.store.directory, pair.label)
        save_predictions(path, judged.predictions, work.bench.card.task)
        save_evidence(self.store.directory, pair.label, judged.evidence)
        seconds = {**trial.seconds, **judged.readings.seconds}
        measured = work.bench.measurement(model, judged.readings, split(trial.measurement)[1])
        return replace(trial, measurement=measured, seconds=seconds)

    @staticmethod
    def _unjudged(trial: Trial, why: str) -> Trial:
        if trial.measurement is None:
            return trial
        kept = tuple(d for d in trial.measurement.doubts if d.kind != UNJUDGED)
        doubts = (*kept, Doubt(UNJUDGED, f"not judged: {why}"))
        return replace(trial, measurement=replace(trial.measurement, doubts=doubts))

    def _outrun(self, ratio: Quantity, label: str) -> str:
        return outrun(ratio, label, self.store.trials(), self._baseline, self.limits)

    def _hopeless(self, pair: Pair) -> str:
        """Why the pair need not even be made, by the quick timings of its place; "" where it should be."""
        integers, floats = self._known(pair), self._floats(pair)
        if not pair.in_integers or integers is None or floats is None:
            return ""
        ratio = Quantity.listed("latency_ratio", at_best(pair, integers, floats))
        why = self._outrun(ratio, pair.label)
        return f"by the quick timings of its runtime at best {why}" if why else ""

    def _known(self, pair: Pair) -> float | None:
        """What INT8 takes at the pair's place and size, of float's time; None: not known."""
        found = self.probes.get(pair.place)
        return found if isinstance(found, float) else None

    def _floats(self, pair: Pair) -> float | None:
        """What the float model takes at the pair's place and size, of float's time; None: not known."""
        floats = next((p for p in self.pairs if p.is_float and p.place == pair.place), None)
        trial = self._baseline if floats is None else kept_before(floats, self.store)
        ratio = None if trial is None else ratio_of(trial)
        return None if ratio is None else ratio.value

    def _probe(self, pairs: Sequence[Pair]) -> None:
        """Times a throw-away INT8 model at each place and size that these pairs need."""
        for pair in {p.place: p for p in pairs if p.work.bench.target.can_time}.values():
            if self._left_s <= 0:
                return
            name = f"{PROBE} in {pair.runtime}" + (f" at {pair.pixels}" * bool(pair.pixels))
            try:
                found: float | str = quick_look(pair, self._float_file)
            except Exception as e:
                found = what_stopped(e).splitlines()[0]
            self.probes[pair.place] = found
            told = found if isinstance(found, str) else f"{found:.2f}{TIMES} float's time"
            self._say(f"quick timing, {name}: {told}")

    @property
    def _float_file(self) -> Path:
        return self.store.directory / str(self._baseline.model_file)

    def _made_elsewhere(self, pair: Pair) -> Compressed | None:
        """What the recipe made for another runtime with the same rules, where it asks for no more."""
        here, recipe = pair.work.bench.target, pair.recipe.name
        if asks_runtime(recipe, here):
            return None
        places = {p.runtime: p.work.bench.target for p in self.pairs}
        alike = {
            name
            for name, place in places.items()
            if replace(place.policy, name="") == replace(here.policy, name="")
            and not asks_runtime(recipe, place)
        }
        for trial in self.store.trials():
            if trial.recipe == recipe and trial.runtime in alike and trial.measurement is not None:
                self._say(f"    made as for {trial.runtime}, whose rules are the same")
                model = model_of(self.store.directory, trial)
                return Compressed(model, trial.source_sha256, pair.recipe, trial.log, 0.0)
        return None

    def _time_finalists(self) -> None:
        by_key = {(p.recipe.name, p.runtime): p for p in self.pairs}
        trials = self.store.trials()
        last = finalists(trials, self._baseline, self.limits)
        short = [t for t in last if is_short(t) and (t.recipe, t.runtime) in by_key]
        for trial in short:
            self._say(f"full timing of {trial.label}, one of the last {len(short)}")
            self._time_at_length(by_key[trial.recipe, trial.runtime], trial)
        kept = {t.key for t in last}
        for trial in (t for t in self.store.trials() if t.key in kept and _unfit(t)):
            if not self._over and (trial.recipe, trial.runtime) in by_key:  # a neighbour may be gone by now
                self._say(f"full timing of {trial.label} once more: the machine was not fit to time on")
                self._time_at_length(by_key[trial.recipe, trial.runtime], trial)
        for trial in trials:
            if is_short(trial) and trial.key not in kept and accuracy_of(trial) is not None:
                why = "by a few short rounds and its accuracy it is not among the last"
                at = by_key.get((trial.recipe, trial.runtime))
                side = 0 if at is None else at.pixels
                self.choices.append(Choice(trial.label, trial.runtime, side, "timed shortly", why))

    @property
    def _over(self) -> bool:
        return self.deadline is not None and monotonic() > self.deadline

    def _time_at_length(self, pair: Pair, trial: Trial) -> None:
        """The trial with its full timing on the disk; a choice where there is no time or it fails.

        An earlier full timing is kept unless the machine was fit to time on now.
        """
        if self._over:
            self._leave(pair, "timed shortly", "the budget ran out before its full timing")
            return
        work, model = pair.work.sized_for(pair.recipe), model_of(self.store.directory, trial)
        file = self.store.directory / str(trial.model_file)
        try:
            timed = work.bench.time(model, file, self._float_file, work.progress)
        except StorageError:
            raise
        except Exception as e:  # as in a trial: its short rounds and what the others found stay
            why = f"full timing failed: {what_stopped(e)}"
            self._leave(pair, "timed shortly", why.splitlines()[0])
            return
        measured = work.bench.measurement(model, split(trial.measurement)[0], timed)
        if is_short(trial) or not _unfit(replace(trial, measurement=measured)):
            seconds = {**trial.seconds, **timed.seconds}
            self.store.append(replace(trial, measurement=measured, seconds=seconds))


def _unfit(trial: Trial) -> bool:
    """Whether no claim about speed can be made of its timing."""
    return trial.measurement is not None and any(d.unfit for d in trial.measurement.doubts)


def is_short(trial: Trial) -> bool:
    """Whether it was timed in a few short rounds only."""
    return trial.measurement is not None and any(d.kind == SHORTLY for d in trial.measurement.doubts)
