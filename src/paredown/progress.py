"""Notes and progress on stderr: bars in a terminal or notebook, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from paredown.printable import printable
from paredown.screen import Screen, harmless

T = TypeVar("T")
SECONDS_BETWEEN_LINES = 10.0
LONGEST_STEP_S = 3600.0  # of a bar: a step that takes longer leaves no estimate of what is left


class Voice:
    """Notes and progress of one job; nothing at all when `quiet`."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = Screen(file=None if _in_notebook() else sys.stderr)
        self._bars: Bars | None = None
        self._spoke_s = time.monotonic()

    @property
    def watched(self) -> bool:
        """Whether a person sits in front of it: a terminal or a notebook."""
        return self._console.is_terminal or self._console.is_jupyter

    def say(self, text: str, *, whole: bool = False) -> None:
        """One note, on a line of its own; whoever watches sees it broken between words.

        whole: a command to copy, which is not broken.
        """
        self._spoke_s = time.monotonic()
        if self._quiet:
            return
        if whole or not self.watched:
            self._console.print(text, soft_wrap=True)
            return
        said = text.lstrip(" ")
        indent = len(text) - len(said)
        self._console.print(Padding(Text(harmless(said)), (0, 0, 0, indent), expand=False))

    def progress(self, items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
        """The items, while a bar or a line now and then says how far it is and what time is left."""
        if total is None and isinstance(items, Sized):
            total = len(items)
        if self._quiet:
            return items
        return self._bar(items, what, total) if self.watched else self._lines(items, what, total)

    def _bar(self, items: Iterable[T], what: str, total: int | None) -> Iterator[T]:
        outermost = self._bars is None
        if self._bars is None:
            self._bars = Bars(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
                speed_estimate_period=LONGEST_STEP_S,
            )
            self._bars.start()
        bars = self._bars
        task = bars.add_task(printable(what), total=total)
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


def default_voice() -> Voice:
    """The voice of a job called from Python: heard in a terminal or notebook, quiet elsewhere."""
    voice = Voice()
    return voice if voice.watched else Voice(quiet=True)


def _in_notebook() -> bool:
    return Console().is_jupyter
