"""What a person sees: tables on stdout; notes and progress on stderr (bars, or lines off a terminal)."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from paredown.study.records import json_text

T = TypeVar("T")
WIDTH = 100
SECONDS_BETWEEN_LINES = 10.0


def stdout() -> Console:
    """The console for data: as wide as the terminal, 100 columns where there is none."""
    return Console(
        file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH, highlight=False, soft_wrap=False
    )


def show_json(value: object) -> None:
    """Writes one JSON document on stdout."""
    sys.stdout.write(json_text(value) + "\n")


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, numbers: Sequence[str] = ()
) -> Table:
    """A table without box lines; the columns named in `numbers` are set to the right."""
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        shown.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        shown.add_row(*row)
    return shown


class Voice:
    """Notes and progress of one command on stderr; nothing at all when `quiet`."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = Console(file=sys.stderr, highlight=False)
        self._bars: Bars | None = None
        self._spoke_s = time.monotonic()

    def say(self, text: str) -> None:
        """One note, on a line of its own."""
        self._spoke_s = time.monotonic()
        if not self._quiet:
            self._console.print(text, markup=False, soft_wrap=True)

    def progress(self, items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
        """The items, while a bar or a line now and then says how far it is and what time is left."""
        if total is None and isinstance(items, Sequence):
            total = len(items)
        if self._quiet:
            return items
        return self._bar(items, what, total) if self._console.is_terminal else self._lines(items, what, total)

    def _bar(self, items: Iterable[T], what: str, total: int | None) -> Iterator[T]:
        outermost = self._bars is None
        if self._bars is None:
            self._bars = Bars(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._bars.start()
        bars = self._bars
        task = bars.add_task(what, total=total)
        try:
            for item in items:
                yield item
                bars.advance(task)
        finally:
            bars.remove_task(task)
            if outermost:
                bars.stop()
                self._bars = None

    def _lines(self, items: Iterable[T], what: str, total: int | None) -> Iterator[T]:
        started = self._spoke_s = time.monotonic()
        for done, item in enumerate(items, start=1):
            yield item
            now = time.monotonic()
            if now - self._spoke_s >= SECONDS_BETWEEN_LINES:
                left = f", {(now - started) / done * max(total - done, 0):.0f} s left" if total else ""
                self.say(f"{what}: {done}{f'/{total}' if total else ''}{left}")
