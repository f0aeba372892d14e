"""How a whole job is run and how its outcome is shown: shared by `run`, `study` and `demo`."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table
from rich.text import Text

from paredown._report.format import plural
from paredown.agreement import is_agreement
from paredown.analyze.against_float import accuracy_of, compared, points_lost, rescaled_latency, rounded
from paredown.analyze.doubts import summed_up
from paredown.cli import console
from paredown.cli.console import Voice
from paredown.cli.short import short_lines
from paredown.cli.signals import ended_by
from paredown.errors import GateNotMet, ParedownError
from paredown.job import Outcome
from paredown.measurement import Quantity, Trial
from paredown.preprocessing.values import feeding_values
from paredown.printable import printable
from paredown.quantities import QUANTITIES, UNITS, QuantityKind, in_unit, limited
from paredown.study.best import Verdict
from paredown.study.limits import Limits, read_limits
from paredown.study.options import CALIBRATION_IMAGES, Options
from paredown.study.store import read_trials
from paredown.study.words import metric_title

LONGEST_NAME = 24  # letters of a recipe not broken in the table; longer ones leave no room beside them


def limits_of(args: argparse.Namespace) -> Limits:
    """The limits typed on the command line, in base units."""
    asked = {QUANTITIES[name].limit_key: getattr(args, name) for name in limited()}
    return read_limits({"max_drop": args.max_drop, "min_agreement": args.min_agreement, **asked})


def options_of(args: argparse.Namespace) -> Options:
    return Options(
        target=args.target,
        host=args.host,
        accuracy_on=args.accuracy_on,
        runtimes=args.runtimes,
        recipes=args.recipes,
        sizes=() if args.sizes == "auto" else args.sizes,
        auto_size=args.sizes == "auto",
        budget_s=args.budget,
        search=args.search,
        family=args.family,
        card=None if args.card is None else str(args.card),
        scale=args.scale,
        colour=args.colour,
        fit=args.fit,
        decode=None if args.decode is None else str(args.decode),
        input=tuple(args.input),
        inputs=None if args.inputs is None else str(args.inputs),
        dequantize=args.dequantize,
        keep_float=tuple(args.keep_float),
        threads=args.threads,
        max_bad=args.max_bad,
        allow_overlap=args.allow_overlap,
        allow_outside=args.allow_outside,
        seed=args.seed,
        learn_from=args.learn_from,
        keep_other=args.keep_other,
        power_log=args.power_log,
        power_model=args.power_model,
        sensor=args.sensor,
        sustained_s=args.sustained,
        classes=args.classes,
        conf=args.conf,
        iou=args.iou,
        fps=args.fps,
        calibration_images=CALIBRATION_IMAGES if args.calibration_images is None else args.calibration_images,
        evaluation_images=args.evaluation_images,
        timing_s=args.timing,
    )


def finish(job: Callable[[Voice], Outcome], out: Path, args: argparse.Namespace, again: str) -> int:
    """The exit code of a whole job, its outcome shown. After Ctrl-C or SIGTERM: what is kept, and `again`."""
    voice = Voice(args.quiet)
    try:
        outcome = job(voice)
    except KeyboardInterrupt as e:
        return stopped(e, read_trials(out), out, again)
    if args.json:
        console.show_json(as_values(outcome))
    else:
        show(outcome)
    if outcome.failed:
        return ParedownError.exit_code
    return 0 if outcome.verdict.gate_met else GateNotMet.exit_code


def stopped(by: KeyboardInterrupt, trials: Iterable[Trial], out: Path, again: str) -> int:
    """The exit code after Ctrl-C or a signal; says what is kept in `out` and the command `again` to go on."""
    how, code = ended_by(by)
    done = sum(trial.error is None for trial in trials)
    with contextlib.suppress(OSError):  # after SIGHUP there may be no terminal any more
        Voice().say(f"\n{how}: {plural(done, 'finished trial')} kept in {out}; to go on:")
        Voice().say(f"  {again}\n", whole=True)
    return code


def show(outcome: Outcome) -> None:
    """The table of trials, the recommendation, and where things lie, on stdout."""
    out = console.stdout()
    out.print(trial_table(outcome.trials, outcome.verdict))
    for line in _footnotes(outcome.verdict):
        out.print(line, markup=False)
    out.print()
    out.print(outcome.verdict.sentence, style="bold", markup=False)
    for line in short_lines(outcome.directory):
        out.print(f"- {line}", markup=False)
    for trial in outcome.trials:
        if trial.error is not None:
            out.print(f"{trial.label} failed: {trial.error.splitlines()[0]}", markup=False)
    for what, why in _absent(outcome.trials).items():
        out.print(f"No {what}: {why}", markup=False)
    for doubt in summed_up(outcome.trials):
        out.print(f"Doubt: {doubt}", markup=False)
    out.print()
    for choice in outcome.left_out:
        out.print(str(choice), markup=False)
    if outcome.left_out:
        out.print()
    for note in outcome.notes:
        out.print(f"Note: {note}", markup=False)
    for name, path in (("report", outcome.report), ("bundle", outcome.bundle), ("trials", outcome.directory)):
        out.print(f"{name}: {path}", markup=False, soft_wrap=True)


def _absent(trials: Sequence[Trial]) -> dict[str, str]:
    """What no model has, of what was asked for, and why."""
    return {
        what: why for t in trials if t.measurement is not None for what, why in t.measurement.absent.items()
    }


def trial_table(trials: Sequence[Trial], verdict: Verdict) -> Table:
    """One row per trial, the float model first."""
    first = accuracy_of(verdict.baseline)
    metric = "accuracy" if first is None else metric_title(first.name)
    agreement = first is not None and is_agreement(first.name)
    judged = ("agreement %",) if agreement else (metric, "lost")
    kinds = [k for k in QUANTITIES.values() if k.column is not None and _is_measured(k, trials)]
    heads = (head for kind in kinds for head in _heads(kind))
    several = len({t.runtime for t in trials}) > 1
    columns = ("recipe", *(("runtime",) if several else ()), *judged, *heads, "verdict")
    rows = [_row(t, verdict, kinds, agreement, several) for t in trials]
    short = all(len(str(row[0])) <= LONGEST_NAME for row in rows)
    return console.table(columns, rows, numbers=columns[1 + several : -1], whole=("recipe",) if short else ())


def _footnotes(verdict: Verdict) -> list[str]:
    """What the columns mean: whose milliseconds, whose answers."""
    said = []
    floats = None if verdict.baseline.measurement is None else verdict.baseline.measurement.get("latency_s")
    if floats is not None:
        own = in_unit(floats.value, "s", ".2f")
        said.append(f"ms: the ratio times float's {own}; float is timed beside every model")
    first = accuracy_of(verdict.baseline)
    if first is not None and is_agreement(first.name):
        what = "mAP50-95 against" if first.name.endswith("map50_95") else "the first class is that of"
        said.append(f"agreement: {what} the float model's own answers; there is no truth")
    return said


def _is_measured(kind: QuantityKind, trials: Sequence[Trial]) -> bool:
    return any(t.measurement is not None and t.measurement.get(kind.name) is not None for t in trials)


def _heads(kind: QuantityKind) -> tuple[str, ...]:
    head = () if kind.column is None else (kind.column.head,)
    return (*head, "FPS") if kind.rate else head


def _row(
    trial: Trial, verdict: Verdict, kinds: Sequence[QuantityKind], agreement: bool, several: bool
) -> list[Text]:
    """several: whether the runtime has a column of its own."""
    best = trial.key == verdict.best.key
    cells = [
        *((trial.short, trial.runtime) if several else (trial.label,)),
        *_judged(trial, verdict.baseline, agreement),
        *(text for kind in kinds for text in _cells(trial, verdict.baseline, kind)),
        verdict.remarks.get(trial.key, "") + (" (search)" if trial.origin == "search" else ""),
    ]
    return [Text(printable(cell), style="bold green" if best else "") for cell in cells]


def _cells(trial: Trial, baseline: Trial, kind: QuantityKind) -> tuple[str, ...]:
    """A quantity as the trials compare by it; of one inference also how many there are in a second."""
    found = compared(trial, baseline, kind.name)
    decimals = 0 if kind.column is None else kind.column.decimals
    shown = "-" if found is None else f"{found.value * UNITS[kind.unit].scale:.{decimals}f}"
    if not kind.rate:
        return (shown,)
    return shown, "-" if found is None or found.value <= 0 else f"{1 / found.value:.1f}"


def _judged(trial: Trial, baseline: Trial, agreement: bool) -> list[str]:
    """The accuracy and the points lost; or the agreement with the float model alone."""
    quality, lost = accuracy_of(trial), points_lost(trial, baseline)
    if agreement:
        return ["-" if quality is None else f"{rounded(100 * quality.value):.2f}"]
    none = lost is None or trial.key == baseline.key
    return [
        "-" if quality is None else f"{quality.value:.4f}",
        "-" if none or lost is None else f"{rounded(lost.value):.2f}",
    ]


def as_values(outcome: Outcome) -> dict[str, object]:
    """The outcome as plain values; the samples behind the numbers are in trials.jsonl."""
    verdict = outcome.verdict
    return {
        "best": verdict.best.label,
        "gate_met": verdict.gate_met,
        "preprocessing": feeding_values(outcome.card),
        "headline": verdict.headline,
        "recommendation": verdict.sentence,
        "doubts": list(summed_up(outcome.trials)),
        "absent": _absent(outcome.trials),
        "trials": [
            {
                "label": t.label,
                "recipe": t.recipe,
                "runtime": t.runtime,
                "size": t.size,
                "origin": t.origin,
                "verdict": verdict.remarks.get(t.key, ""),
                **_against_float(t, verdict.baseline),
                "error": t.error,
                "model": None if t.model_file is None else str(outcome.directory / t.model_file),
                "quantities": quantity_values(() if t.measurement is None else t.measurement.quantities),
            }
            for t in outcome.trials
        ],
        "report": str(outcome.report),
        "bundle": str(outcome.bundle),
        "notes": list(outcome.notes),
        "left_out": [asdict(choice) for choice in outcome.left_out],
    }


def _against_float(trial: Trial, baseline: Trial) -> dict[str, object]:
    """The figures that trials are compared by, as every table and plot shows them."""
    lost, latency, accuracy = (
        points_lost(trial, baseline),
        rescaled_latency(trial, baseline),
        accuracy_of(trial),
    )
    agreement = accuracy is not None and is_agreement(accuracy.name)
    return {
        "points_lost": None if lost is None or agreement else rounded(lost.value),
        "agreement_percent": rounded(100 * accuracy.value) if accuracy is not None and agreement else None,
        "latency_at_float_s": None if latency is None else latency.value,
    }


def quantity_values(quantities: Sequence[Quantity]) -> dict[str, object]:
    """By name: value, unit, how obtained, and the interval."""
    return {
        q.name: {"value": q.value, "unit": q.unit, "how": q.how, "low": q.low, "high": q.high}
        for q in quantities
    }
