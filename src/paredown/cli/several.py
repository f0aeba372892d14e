"""How a study of several models is run and how its outcome is shown."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from paredown._report.format import plural
from paredown.analyze.against_float import accuracy_of, points_lost, ratio_of, rounded
from paredown.cli import closing, console
from paredown.cli.console import Voice
from paredown.cli.short import short_lines
from paredown.errors import GateNotMet, ParedownError
from paredown.experiment import PlanOutcome, run_plan
from paredown.job import Outcome
from paredown.measurement import Trial
from paredown.statistics.over_trials import spread
from paredown.study.index import Entry, is_index, read_index, read_parts
from paredown.study.plan import Plan


def finish(plan: Plan, out: Path, args: argparse.Namespace, again: str) -> int:
    """The exit code of a study, its outcome shown. After Ctrl-C or SIGTERM: what is kept, and `again`."""
    voice = Voice(args.quiet)
    try:
        outcome = run_plan(
            plan,
            out,
            root=args.root,
            engine=args.engine,
            jobs=args.jobs,
            say=voice.say,
            typed=args.typed,
            force=args.force,
        )
    except KeyboardInterrupt as e:
        parts = read_parts(out, read_index(out)) if is_index(out) else {}
        return closing.stopped(e, chain.from_iterable(parts.values()), out, again)
    if args.json:
        console.show_json(as_values(outcome))
    else:
        show(outcome)
    if not outcome.outcomes or all(o.failed for o in outcome.outcomes.values()):
        return ParedownError.exit_code
    met = all(o.verdict.gate_met for o in outcome.outcomes.values())
    return 0 if met else GateNotMet.exit_code


def show(outcome: PlanOutcome) -> None:
    """A table of every model and recipe, the recommendations, and where things lie, on stdout."""
    out, index = console.stdout(), outcome.index
    firsts = [index.repeats(e)[0] for e in index.entries if index.repeats(e)[0] is e]
    rows = [row for first in firsts for row in _rows(first, outcome)]
    columns = ("model", "recipe", "accuracy", "lost", "ratio", "MB")
    out.print(console.table(columns, rows, numbers=columns[2:]))
    if len(index.seeds) > 1:
        seeds = plural(len(index.seeds), "trial")
        out.print(f"mean ± standard deviation over {seeds} (seeds {_list(index.seeds)})", markup=False)
    out.print()
    for entry in index.entries:
        found = outcome.outcomes.get(entry.label)
        told = f"{entry.state}: {entry.why.splitlines()[0]}" if entry.why else entry.state
        told = found.verdict.headline if found is not None else told
        out.print(f"{entry.label}: {told}", markup=False, soft_wrap=True)
    for entry in index.entries:
        for trial in outcome.outcomes[entry.label].trials if entry.label in outcome.outcomes else ():
            if trial.error is not None:
                why = trial.error.splitlines()[0]
                out.print(f"{entry.label} {trial.label} failed: {why}", markup=False, soft_wrap=True)
    if outcome.outcomes:
        for line in short_lines(outcome.directory):
            out.print(f"- {line}", markup=False)
        out.print(f"\nreport: {outcome.directory / 'report.html'}", markup=False, soft_wrap=True)
    out.print(f"study: {outcome.directory}", markup=False, soft_wrap=True)


def _rows(first: Entry, outcome: PlanOutcome) -> list[tuple[str, ...]]:
    """One row for each recipe of a model in a place, over its seeds."""
    found = [outcome.outcomes.get(e.label) for e in outcome.index.repeats(first)]
    repeats = [o for o in found if o is not None]
    keys = dict.fromkeys(t.key for o in repeats for t in o.trials)
    return [(first.label, *_row(key, repeats)) for key in keys]


def _row(key: str, repeats: Sequence[Outcome]) -> tuple[str, ...]:
    pairs = [(t, o.verdict.baseline) for o in repeats for t in o.trials if t.key == key]
    trials = [t for t, _ in pairs if t.measurement is not None]
    accuracy = [q.value for t in trials if (q := accuracy_of(t)) is not None]
    lost = [rounded(q.value) for t, b in pairs if t.key != b.key and (q := points_lost(t, b)) is not None]
    ratio = [q.value for t, b in pairs if t.key != b.key and (q := ratio_of(t)) is not None]
    sizes = [v * 1e-6 for t in trials if (v := _size(t)) is not None]
    label = pairs[0][0].label
    return label, *(_spread(v, n) for v, n in ((accuracy, 4), (lost, 2), (ratio, 2), (sizes, 2)))


def _size(trial: Trial) -> float | None:
    return None if trial.measurement is None else trial.measurement.value("size_bytes")


def _spread(values: Sequence[float], decimals: int) -> str:
    """ "0.4104 ± 0.0012"; of one value itself; "-" of none."""
    if not values:
        return "-"
    found = spread(values)
    mean = f"{found.mean:.{decimals}f}"
    return mean if found.n == 1 else f"{mean} ± {found.std:.{decimals}f}"


def _list(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))


def as_values(outcome: PlanOutcome) -> dict[str, object]:
    """The outcome as plain values: the index, and every finished part as `run` tells it."""
    parts = {label: closing.as_values(found) for label, found in outcome.outcomes.items()}
    index = outcome.index
    skipped = {e.label: {"state": e.state, "why": e.why} for e in index.entries if e.label not in parts}
    return {
        "title": index.title,
        "seeds": list(index.seeds),
        "parts": parts,
        "not_finished": skipped,
        "directory": str(outcome.directory),
    }
