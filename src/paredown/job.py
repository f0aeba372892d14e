"""The whole job, from a model and images to verdict, report and bundle: the wiring of `paredown run`."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from paredown._compress.recipe import Recipe
from paredown._report import write_pages
from paredown.analyze.against_float import FLOAT
from paredown.card import Card
from paredown.checking import checked
from paredown.deploy import write_bundle
from paredown.enduring import endure_winner
from paredown.errors import UsageError
from paredown.files import check_directory, write_whole
from paredown.measurement import Trial
from paredown.preparing import feeding_picture, prepare_work
from paredown.progress import default_voice
from paredown.protocols import Progress
from paredown.quantities import QUANTITIES, UNITS, limited
from paredown.report_data import read_story, write_end, write_start
from paredown.sample import Dataset
from paredown.study.best import Verdict, choose_best
from paredown.study.choices import Choice, out_of_time, read_choices, some_of
from paredown.study.environments import Apart, unmatched
from paredown.study.images import Source
from paredown.study.index import is_index
from paredown.study.limits import Limits
from paredown.study.options import Asked, Options
from paredown.study.pairs import pairs
from paredown.study.places import check_runtimes
from paredown.study.private import hiding, portable, portable_path
from paredown.study.race import BUDGET_S, Race
from paredown.study.resume import apart_notes, measured_elsewhere
from paredown.study.searching import check_search, run_search
from paredown.study.sizing import check_auto, shrink_best, with_smaller
from paredown.study.status import Journal
from paredown.study.store import STUDY, Store, model_of, read_study, read_trials
from paredown.study.todo import Todo, named_recipes, todo
from paredown.study.trials import float_trial, run_trials
from paredown.study.work import Say, Work
from paredown.tasks import headline

FEEDING_PICTURE = "preprocessing.jpg"


@dataclass(frozen=True)
class Outcome:
    """What a whole job came to. `bundle`: the directory that ships to the device."""

    directory: Path
    card: Card
    trials: tuple[Trial, ...]
    verdict: Verdict
    report: Path
    bundle: Path
    notes: tuple[str, ...] = ()
    left_out: tuple[Choice, ...] = ()  # what a search over several runtimes did not do, and why

    @property
    def failed(self) -> bool:
        """Whether recipes were tried and none of them gave a model."""
        others = [t for t in self.trials if t.key != self.verdict.baseline.key]
        return bool(others) and all(t.error is not None for t in others)


@checked
def run(
    model: str | Path,
    data: Source,
    calib: Source | None = None,
    *,
    out: str | Path,
    recipes: str | Sequence[str] | None = None,
    limits: Limits | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
    say: Say | None = None,
    force: bool = False,
) -> Outcome:
    """The outcome of trying every recipe on the model, kept in the directory `out`.

    Called again with the same `out` it goes on where it stopped. `data`, `calib`: paths as on the command
    line, or data sets. `recipes`: instead of `options.recipes`. `say` gets a line for each thing that is
    done. progress, say: None shows both in a terminal or notebook, and nothing elsewhere. force: also into a
    directory that holds something and is no study.
    """
    directory = Path(out)
    check_directory(directory, STUDY, force=force)
    if is_index(directory):
        raise UsageError(f"{directory} holds a study of several models", hint="choose another --out")
    limits, options = limits or Limits(), _options(options, recipes)
    asked = Asked(str(model), _spelled(data), None if calib is None else _spelled(calib), limits, options)
    hide, deadline = hiding(asked, directory), _deadline(options)
    named = _checked_names(options, limits)
    journal, voice = Journal(directory, "run", ready=False, hide=hide), default_voice()
    progress, say = journal.following(progress or voice.progress), journal.telling(say or voice.say)
    work = replace(prepare_work(Path(model), data, calib, options, progress, say), hide=hide)
    plan = todo(work, named, limits)
    limits.check(headline(work.bench.card.task, work.images.judged.has_truth))
    with Store(directory, force=force, hide=hide) as store:
        journal.ready = True
        others, notes = _begin(work, asked, store, plan)
        notes += _try_all(work, asked, store, plan, others, deadline)
        return conclude(work, asked, store, notes)


def _deadline(options: Options) -> float | None:
    """When to begin nothing more, of `time.monotonic`; a race over several runtimes always has one."""
    budget_s = BUDGET_S if options.budget_s is None and options.runtimes else options.budget_s
    return None if budget_s is None else time.monotonic() + budget_s


def _checked_names(options: Options, limits: Limits) -> dict[str, Recipe]:
    """The recipes asked for, by label; what cannot be done at all is refused here, before any work."""
    check_runtimes(options.runtimes)
    named = named_recipes(options, limits)
    check_search(options)
    check_auto(options, limits)
    return named


def _begin(work: Work, asked: Asked, store: Store, plan: Todo) -> tuple[tuple[Apart, ...], tuple[str, ...]]:
    """Writes down what is asked for; returns the trials of other environments that are left, and notes."""
    keep = asked.options.keep_other
    store.settle(portable(asked).tables(), work.settings(), work.bench.environment())
    found = store.apart(work.bench.environment())
    others = tuple(found if keep else unmatched(found, store.trials()))
    notes = (*store.notes, *apart_notes(others, keep), *work.images.notes, *plan.left_out)
    for note in notes:
        work.say(note)
    again = command(asked, store.directory)
    write_start(store.directory, work, again, [p.label for p in plan.pairs], notes)
    _show_feeding(work, store.directory)
    return others, notes


def _try_all(
    work: Work, asked: Asked, store: Store, plan: Todo, others: Sequence[Apart], deadline: float | None
) -> tuple[str, ...]:
    """Every trial that is asked for, on the disk; returns notes on what was left out, and why."""
    limits, options, usual = asked.limits, asked.options, work.bench.target
    reference = float_trial(work, store)
    again = (
        {} if options.keep_other else measured_elsewhere(others, store.trials(), plan.wanted, usual.runtime)
    )
    found = [t.label for a in others for t in a.trials if t.origin == "search" and t.label in again]
    tried = plan.pairs + pairs(work, [usual], lambda place: again)
    notes: tuple[str, ...] = ()
    if options.auto_size:
        tried, notes = with_smaller(work, tried, store, reference, limits, deadline)
    if options.runtimes:
        untried = out_of_time(Race(tried, store, reference, limits, deadline).run())
    else:
        untried = run_trials(tried, store, reference, deadline, found)
    if untried:
        notes += (f"the budget ran out before {some_of(untried)}; run it again to go on",)
        work.say(notes[-1])
    if options.auto_size:
        notes += shrink_best(tried, store, reference, limits, deadline)
    if options.search is not None:
        notes += run_search(work, store, reference, limits, plan.wanted.values(), deadline)
    return notes


def judge(directory: Path) -> tuple[tuple[Trial, ...], Verdict]:
    """The trials of a study directory, the float model first, and the verdict over them."""
    trials = sorted(read_trials(directory), key=lambda t: t.recipe != FLOAT)
    return tuple(trials), choose_best(trials, asked_in(directory).limits)


def asked_in(directory: Path) -> Asked:
    """What a study directory was asked for last."""
    tables = read_study(directory)
    return Asked.parse({k: v for k, v in tables.items() if k in ("asked", "limits", "options")})


def _options(options: Options | None, recipes: str | Sequence[str] | None) -> Options:
    chosen = options or Options()
    if recipes is None:
        return chosen
    if chosen.recipes:
        raise UsageError("recipes are named twice", got="run(recipes=...) and Options(recipes=...)")
    return replace(chosen, recipes=tuple(recipes.split(",") if isinstance(recipes, str) else recipes))


def _show_feeding(work: Work, directory: Path) -> None:
    """Pictures of what the float model finds, fed as decided, before the long work begins."""
    path = directory / FEEDING_PICTURE
    write_whole(path, feeding_picture(work))
    work.say(f"what the model finds, fed like this: {path} (look before you trust the figures)")


def conclude(work: Work, asked: Asked, store: Store, notes: tuple[str, ...]) -> Outcome:
    """Verdict, report and bundle of a study whose trials are all there."""
    trials, verdict = judge(store.directory)
    notes += endure_winner(store.directory, work, verdict)
    work.say("writing the report and the bundle")
    write_end(store.directory, work, verdict, command(asked, store.directory), notes)
    report = write_pages(read_story(store.directory), store.directory)
    shipped = model_of(store.directory, verdict.best)
    place = replace(work.bench.target, runtime=verdict.best.runtime)
    judged = work.images.judged
    bundle = write_bundle(
        shipped,
        work.bench.card,
        verdict.best,
        place,
        store.directory / "best",
        source_name=work.model.name,
        judged_on=f"{judged.name}, {len(judged)} images",
        classes=work.bench.class_names,
    )
    left_out = read_choices(store.directory) if asked.options.runtimes else ()
    return Outcome(store.directory, work.bench.card, trials, verdict, report, bundle, notes, left_out)


def command(asked: Asked, out: Path) -> str:
    """The command line that does this study again, without what it would say about this machine."""
    asked = portable(asked)
    words = ["paredown", "run", asked.model, "--data", asked.data]
    words += ["--calib", asked.calib] if asked.calib is not None else []
    limits, options, normal = asked.limits, asked.options, Options()
    given: dict[str, object] = {
        "--target": _other(options.target, normal.target),
        "--host": _other(options.host, normal.host),
        "--accuracy-on": _other(options.accuracy_on, normal.accuracy_on),
        "--max-drop": limits.max_drop,
        "--min-agreement": limits.min_agreement,
        **{
            limited()[name].option: most * UNITS[QUANTITIES[name].unit].scale
            for name, most in limits.at_most.items()
        },
        "--runtimes": ",".join(options.runtimes) or None,
        "--recipes": ",".join(options.recipes) or None,
        "--sizes": "auto" if options.auto_size else ",".join(map(str, options.sizes)) or None,
        "--search": options.search or None,
        "--learn-from": options.learn_from,
        "--family": options.family,
        "--card": options.card,
        "--scale": options.scale,
        "--colour": options.colour,
        "--fit": options.fit,
        "--decode": options.decode,
        "--inputs": options.inputs,
        "--threads": options.threads or None,
        "--max-bad": options.max_bad or None,
        "--seed": options.seed or None,
        "--classes": ",".join(options.classes) or None,
        "--conf": options.conf,
        "--iou": options.iou,
        "--fps": options.fps,
        "--power-log": options.power_log,
        "--sensor": options.sensor or None,
        "--sustained": f"{options.sustained_s:g}s" if options.sustained_s else None,
        "--calibration-images": _other(options.calibration_images, normal.calibration_images),
        "--evaluation-images": options.evaluation_images or None,
        "--timing": None if options.timing_s is None else f"{options.timing_s:g}s",
        "--power-model": ",".join(f"{watts:g}" for watts in options.power_model) or None,
    }
    for name, value in given.items():
        words += [] if value is None else [name, f"{value:g}" if isinstance(value, float) else str(value)]
    for name in options.keep_float:
        words += ["--keep-float", name]
    if options.search == 0:
        words += ["--search", "--budget", f"{options.budget_s:g}s"]
    for shape in options.input:
        words += ["--input", shape]
    words += ["--dequantize"] if options.dequantize else []
    words += ["--allow-overlap"] if options.allow_overlap else []
    words += ["--keep-other"] if options.keep_other else []
    words += ["--allow-outside"] if options.allow_outside else []
    return shlex.join([*words, "--out", portable_path(str(out))])


def _other(value: object, usual: object) -> object:
    """The value; None where it is the usual one, which need not be said."""
    return value if value != usual else None


def _spelled(source: Source) -> str:
    return f"{source.format}:{source.root}" if isinstance(source, Dataset) else str(source)
