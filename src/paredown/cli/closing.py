"""How a whole job is run and how its outcome is shown: shared by `run`, `study` and `demo`."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from paredown._report.format import plural
from paredown.cli import console
from paredown.cli.console import Voice
from paredown.cli.signals import ended_by
from paredown.errors import GateNotMet, ParedownError
from paredown.families.values import feeding_values
from paredown.job import Outcome
from paredown.measurement import Quantity, Trial
from paredown.study.options import Options
from paredown.study.store import read_trials
from paredown.study.verdict import Limits, Verdict, accuracy_of, metric_title, points_lost


def limits_of(args: argparse.Namespace) -> Limits:
    """The limits typed on the command line, in base units."""
    return Limits(
        max_drop=args.max_drop,
        max_latency_s=None if args.max_latency is None else args.max_latency / 1000,
        max_size_bytes=None if args.max_size is None else round(args.max_size * 1e6),
    )


def options_of(args: argparse.Namespace) -> Options:
    return Options(
        target=args.target,
        recipes=args.recipes,
        budget_s=args.budget,
        search=args.search,
        family=args.family,
        card=None if args.card is None else str(args.card),
        scale=args.scale,
        colour=args.colour,
        fit=args.fit,
        keep_float=tuple(args.keep_float),
        threads=args.threads,
        max_bad=args.max_bad,
        allow_overlap=args.allow_overlap,
        allow_outside=args.allow_outside,
        seed=args.seed,
        learn_from=args.learn_from,
        keep_other=args.keep_other,
    )


def finish(job: Callable[[Voice], Outcome], out: Path, args: argparse.Namespace, again: str) -> int:
    """The exit code of a whole job, its outcome shown. After Ctrl-C or SIGTERM: what is kept, and `again`."""
    voice = Voice(args.quiet)
    try:
        outcome = job(voice)
    except KeyboardInterrupt as e:
        how, code = ended_by(e)
        done = sum(t.error is None for t in read_trials(out))
        with contextlib.suppress(OSError):  # after SIGHUP there may be no terminal any more
            Voice().say(f"\n{how}: {plural(done, 'finished trial')} kept in {out}; to go on:\n  {again}\n")
        return code
    if args.json:
        console.show_json(as_values(outcome))
    else:
        show(outcome)
    if outcome.failed:
        return ParedownError.exit_code
    return 0 if outcome.verdict.gate_met else GateNotMet.exit_code


def show(outcome: Outcome) -> None:
    """The table of trials, the recommendation, and where things lie, on stdout."""
    out = console.stdout()
    out.print(trial_table(outcome.trials, outcome.verdict))
    out.print()
    out.print(outcome.verdict.sentence, style="bold", markup=False)
    for trial in outcome.trials:
        if trial.error is not None:
            out.print(f"{trial.label} failed: {trial.error.splitlines()[0]}", markup=False)
    doubts = _doubts(outcome)
    for doubt in doubts[:3]:
        out.print(f"Doubt: {doubt}", markup=False)
    if len(doubts) > 3:
        out.print(f"and {len(doubts) - 3} more doubts, all in the report")
    out.print()
    for note in outcome.notes:
        out.print(f"Note: {note}", markup=False)
    for name, path in (("report", outcome.report), ("bundle", outcome.bundle), ("trials", outcome.directory)):
        out.print(f"{name}: {path}", markup=False, soft_wrap=True)


def trial_table(trials: Sequence[Trial], verdict: Verdict) -> Table:
    """One row per trial, the float model first."""
    first = accuracy_of(verdict.baseline)
    metric = "accuracy" if first is None else metric_title(first.name)
    columns = ("recipe", metric, "lost", "ms", "ratio", "MB", "mem MB", "verdict")
    rows = [_row(t, verdict) for t in trials]
    return console.table(columns, rows, numbers=columns[1:-1])


def _row(trial: Trial, verdict: Verdict) -> list[Text]:
    measured = trial.measurement

    def number(name: str, scale: float, digits: int) -> str:
        value = None if measured is None else measured.value(name)
        return "-" if value is None else f"{value * scale:.{digits}f}"

    quality, lost = accuracy_of(trial), points_lost(trial, verdict.baseline)
    best = trial is verdict.best or trial.recipe == verdict.best.recipe
    cells = [
        trial.label,
        "-" if quality is None else f"{quality.value:.4f}",
        "-" if lost is None or trial.recipe == verdict.baseline.recipe else f"{lost:.2f}",
        number("latency_s", 1e3, 2),
        "1.00" if trial.recipe == verdict.baseline.recipe else number("latency_ratio", 1, 2),
        number("size_bytes", 1e-6, 2),
        number("peak_memory_bytes", 1e-6, 0),
        verdict.remarks.get(trial.recipe, "") + (" (search)" if trial.origin == "search" else ""),
    ]
    return [Text(cell, style="bold green" if best else "") for cell in cells]


def _doubts(outcome: Outcome) -> list[str]:
    """Every doubt once, with the models it is about."""
    about: dict[str, list[str]] = {}
    for trial in outcome.trials:
        for doubt in () if trial.measurement is None else trial.measurement.doubts:
            about.setdefault(doubt, []).append(trial.label)
    return [f"{doubt} ({', '.join(labels)})" for doubt, labels in about.items()]


def as_values(outcome: Outcome) -> dict[str, object]:
    """The outcome as plain values; the samples behind the numbers are in trials.jsonl."""
    verdict = outcome.verdict
    return {
        "best": verdict.best.label,
        "gate_met": verdict.gate_met,
        "preprocessing": feeding_values(outcome.card),
        "recommendation": verdict.sentence,
        "trials": [
            {
                "label": t.label,
                "recipe": t.recipe,
                "origin": t.origin,
                "verdict": verdict.remarks.get(t.recipe, ""),
                "error": t.error,
                "model": None if t.model_file is None else str(outcome.directory / t.model_file),
                "quantities": quantity_values(() if t.measurement is None else t.measurement.quantities),
            }
            for t in outcome.trials
        ],
        "report": str(outcome.report),
        "bundle": str(outcome.bundle),
        "notes": list(outcome.notes),
    }


def quantity_values(quantities: Sequence[Quantity]) -> dict[str, object]:
    """By name: value, unit, how obtained, and the interval."""
    return {
        q.name: {"value": q.value, "unit": q.unit, "how": q.how, "low": q.low, "high": q.high}
        for q in quantities
    }
