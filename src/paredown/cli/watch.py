"""`paredown watch`: a study that runs, followed from another terminal."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from paredown.measurement import Trial
    from paredown.study.status import Status

EXAMPLE = "paredown watch runs/c"
SECONDS_BETWEEN = 2.0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", metavar="STUDY_DIR", type=Path, help="of `paredown study` or `paredown run`")
    parser.add_argument("--once", action="store_true", help="show how far it is, and end")


def main(args: argparse.Namespace) -> int:
    from rich.live import Live

    from paredown.cli import console
    from paredown.study.lock import holder
    from paredown.study.store import require_study

    out = console.stdout()
    require_study(args.study)
    if args.once or not out.is_terminal:
        out.print(shown(args.study))
        return 0
    with Live(shown(args.study), console=out, auto_refresh=False) as live:
        while holder(args.study / "lock") is not None:
            time.sleep(SECONDS_BETWEEN)
            live.update(shown(args.study), refresh=True)
    return 0


@dataclass(frozen=True)
class _Part:
    """One part as it stands on the disk. planned: labels, float not among them."""

    label: str
    state: str
    trials: tuple[Trial, ...]
    planned: tuple[str, ...]
    why: str = ""


def shown(directory: Path) -> RenderableType:
    """All that is known of a study right now."""
    from rich.console import Group
    from rich.text import Text

    from paredown.printable import printable
    from paredown.study.lock import holder
    from paredown.study.status import read_status

    title, parts = _parts(directory)
    status = read_status(directory)
    if holder(directory / "lock") is None and status is not None:
        status = replace(status, busy=(), left_s=None)  # what it last said: nothing runs any more
    lines = [
        Text(printable(_head(title, directory, parts, status)), style="bold"),
        *_tables(parts, status),
        *(Text(printable(f"Doubt: {doubt}"), style="yellow") for doubt in _doubts(parts)),
        *(Text(printable(line), style="dim") for line in ([] if status is None else status.said)),
    ]
    return Group(*lines)


def _parts(directory: Path) -> tuple[str, list[_Part]]:
    """The title of a study and its parts: of one model, itself."""
    from paredown.report_data.facts import read_facts
    from paredown.study.index import is_index, read_index, read_parts
    from paredown.study.store import read_trials

    if not is_index(directory):
        facts = read_facts(directory)
        state = "finished" if facts.finished else "running"
        return facts.title, [_Part(facts.title, state, read_trials(directory), facts.planned)]
    index = read_index(directory)
    trials = read_parts(directory, index)
    return index.title, [
        _Part(e.label, e.state, trials.get(e.label, ()), e.planned, e.why) for e in index.entries
    ]


def _head(title: str, directory: Path, parts: Sequence[_Part], status: Status | None) -> str:
    """ "Toys: 7 of 12 trials, 2 failed, 3:10 min elapsed, about 2:00 min left (local)"."""
    from paredown.study.lock import holder
    from paredown.study.trials import minutes

    done = sum(t.error is None for p in parts for t in p.trials)
    failed = sum(t.error is not None for p in parts for t in p.trials)
    begun = [p for p in parts if p.planned or p.trials]
    todo = sum(max(len(p.planned) + 1, len(p.trials)) for p in begun)
    waiting = sum(p.state == "waiting" for p in parts)
    said = [f"{title}: {done} of {todo}{'+' * bool(waiting)} trials"]
    said += [f"{failed} failed"] if failed else []
    if holder(directory / "lock") is None:
        said.append("nothing runs here now")
    elif status is not None:
        said.append(f"{minutes(time.time() - status.started_s)} elapsed")
        said += [] if status.left_s is None else [f"about {minutes(status.left_s)} left"]
    return ", ".join(said) + ("" if status is None else f" ({status.engine})")


def _tables(parts: Sequence[_Part], status: Status | None) -> list[RenderableType]:
    """What runs where, and how far each part is with the front so far."""
    from paredown.cli import console
    from paredown.study.trials import minutes

    found: list[RenderableType] = []
    if status is not None and status.busy:
        now = time.time()
        rows = [(b.kind, b.part, b.label, b.waits or b.place, minutes(now - b.since_s)) for b in status.busy]
        found.append(console.table(("now", "part", "recipe", "where", "for"), rows, numbers=("for",)))
    columns = ("part", "state", "trials", "front so far: recipe, points lost, time and size against float")
    found.append(
        console.table(
            columns,
            [(p.label, p.state, _count(p), p.why.splitlines()[0] if p.why else _front(p)) for p in parts],
        )
    )
    return found


def _count(part: _Part) -> str:
    done = sum(t.error is None for t in part.trials)
    return f"{done}/{len(part.planned) + 1}" if part.planned else str(done)


def _front(part: _Part) -> str:
    """ "int8 0.41, 0.52x, 0.27x; float"; the candidates that none betters in loss, time and size."""
    from paredown.analyze.against_float import baseline_of, points_lost, ratio_of, rounded
    from paredown.analyze.selection import candidates, select

    baseline = baseline_of(part.trials)
    if baseline is None:
        return "the float model is not measured yet"
    chosen = select(candidates({part.label: (part.trials, baseline)}))
    said = []
    for candidate in (chosen.candidates[i] for i in chosen.front):
        trial = candidate.trial
        lost, ratio, size = points_lost(trial, baseline), ratio_of(trial), _size_ratio(trial, baseline)
        figures = [
            *([] if lost is None else [f"{rounded(lost.value):.2f}"]),
            *([] if ratio is None else [f"{ratio.value:.2f}\u00d7"]),
            *([] if size is None else [f"{size:.2f}\u00d7"]),
        ]
        said.append(trial.label if candidate.is_float else f"{trial.label} {', '.join(figures)}")
    return "; ".join(said) or "-"


def _size_ratio(trial: Trial, baseline: Trial) -> float | None:
    if trial.measurement is None or baseline.measurement is None:
        return None
    mine, floats = (m.value("size_bytes") for m in (trial.measurement, baseline.measurement))
    return mine / floats if mine is not None and floats else None


def _doubts(parts: Sequence[_Part]) -> tuple[str, ...]:
    from paredown.analyze.doubts import summed_up

    return summed_up([t for p in parts for t in p.trials])[:5]
