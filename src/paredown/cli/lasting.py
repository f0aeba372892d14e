"""The options of `measure` that take minutes: what they ask for, and how the answer is shown."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from paredown.cli import values

if TYPE_CHECKING:
    from paredown.cli.console import Voice
    from paredown.endurance import Endurance, Interference, ThreadsCurve
    from paredown.endure import Asked
    from paredown.model import Model
    from paredown.sample import Dataset


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sustained",
        metavar="TIME",
        type=values.span,
        default=0.0,
        help="run without a pause for so long, 10m: latency, clock, heat, power and memory over time",
    )
    parser.add_argument(
        "--interference",
        metavar="KIND,KIND",
        type=values.names,
        default=(),
        help="beside a neighbour: cpu, memory, io, video, detector; and what helps against it",
    )
    parser.add_argument("--threads-curve", action="store_true", help="latency by the number of threads")
    parser.add_argument(
        "--footprint", action="store_true", help="load time cold and warm, peak memory of model and pipeline"
    )
    parser.add_argument(
        "--page", metavar="FILE", type=Path, help="write these four as an HTML page with plots"
    )


def asked(args: argparse.Namespace) -> Asked:
    """What the options ask for. Raises UsageError."""
    from paredown.endure import Asked
    from paredown.errors import UsageError
    from paredown.files import check_named

    found = Asked(args.sustained, args.interference, args.threads_curve, args.footprint)
    unused = [name for name in ("baseline", "power_model") if getattr(args, name)]
    if found.anything and not args.what and unused:
        raise UsageError(
            "nothing that was asked for would use this",
            got=", ".join(f"--{name.replace('_', '-')}" for name in unused),
            expected="--what beside it: map, latency, memory or energy",
        )
    if args.power_model and args.what and "energy" not in args.what:
        raise UsageError(
            "nothing that was asked for would use the watts",
            got=f"--power-model beside --what {','.join(args.what)}",
            expected="--what energy, or no --what",
        )
    if args.page is not None:
        if not found.anything:
            raise UsageError(
                "there is nothing to write a page of",
                expected="--sustained, --interference, --threads-curve or --footprint beside --page",
            )
        check_named(args.page, force=args.force)
    return found


def look(args: argparse.Namespace, model: Model, images: Dataset, voice: Voice) -> Endurance:
    """What was asked for, looked at; the page written."""
    from paredown._measure.energy.power import PowerFrom
    from paredown._report.endurance_page import write_endurance
    from paredown.endure import endure

    found = endure(
        model,
        images,
        asked(args),
        target=args.target,
        runtime=args.runtime,
        host=args.host,
        threads=args.threads,
        power=PowerFrom(args.power_log, sensor=args.sensor),
        progress=voice.progress,
    )
    if args.page is not None:
        write_endurance(found, args.page, force=args.force)
        voice.say(f"page: {args.page}")
    return found


def show(found: Endurance) -> None:
    """The figures, on stdout."""
    from paredown._report.format import interval, shown
    from paredown.cli import console
    from paredown.metrics import title_of

    out = console.stdout()
    quantities = found.sustained.quantities if found.sustained else ()
    quantities += found.footprint.quantities if found.footprint else ()
    if quantities:
        columns = ("quantity", "value", "95 % interval", "how")
        rows = [(title_of(q.name), shown(q), interval(q), q.how) for q in quantities]
        out.print(console.table(columns, rows, numbers=columns[1:3]))
    for line in _sentences(found):
        out.print(line, markup=False)
    for each in found.interference:
        _show_neighbour(each)
    if found.threads is not None:
        _show_threads(found.threads)


def _sentences(found: Endurance) -> list[str]:
    """What of it is no table."""
    said = []
    if found.sustained is not None:
        state = found.sustained.throttled
        began = "" if state.began_s is None else f" ({state.began_s:.0f} s after the start)"
        said += [f"{state.words}{began}", f"looked at: {', '.join(state.looked_at)}"]
        if state.hidden:
            said.append(f"not shown by this machine: {', '.join(state.hidden)}")
        said += [f"Doubt: {doubt.text}" for doubt in found.sustained.doubts]
    if found.footprint is not None:
        cold, why = found.footprint.cold, found.footprint.not_cold
        said.append(f"cold: {cold}" if cold else f"No cold load time: {why}")
    return said


def _show_neighbour(found: Interference) -> None:
    from paredown._report.format import interval, number, shown
    from paredown.cli import console

    out = console.stdout()
    out.print(f"beside a neighbour ({found.did})", markup=False)
    columns = ("way", "alone", "beside it", "95th percentile", "against as it is")
    rows: list[tuple[str, ...]] = []
    for v in found.variants:
        if v.refused:
            rows.append((v.name, f"not tried: {v.refused}", "", "", ""))
            continue
        times = ["" if q is None else shown(q) for q in (v.alone, v.beside, v.beside_p95)]
        change = "" if v.change is None else f"{number(v.change.value, 2)} ({interval(v.change)})"
        rows.append((v.name, *times, change))
    out.print(console.table(columns, rows, numbers=columns[1:]))
    helped = [f"{v.name} ({v.gains})" for v in found.variants if v.gains]
    out.print(f"what helped: {'; '.join(helped) or 'nothing by more than chance'}", markup=False)


def _show_threads(found: ThreadsCurve) -> None:
    from paredown._report.format import shown
    from paredown.cli import console

    out = console.stdout()
    columns = ("threads", "latency", "processor time of one")
    lines = zip(found.threads, found.latency, found.cpu_s, strict=True)
    rows = [(str(n), shown(q), f"{1e3 * s:.1f} ms") for n, q, s in lines]
    out.print(console.table(columns, rows, numbers=columns))
    out.print(f"efficient: {found.efficient}", markup=False)
