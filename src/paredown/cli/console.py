"""What a person sees: tables on stdout; notes and progress on stderr (`progress.py`)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Literal

from rich.table import Table
from rich.text import Text

from paredown.progress import Voice
from paredown.screen import Screen, harmless
from paredown.study.records import json_text

__all__ = ["Voice", "show_json", "stdout", "table"]

WIDTH = 100


def stdout() -> Screen:
    """The console for data: as wide as the terminal, 100 columns where there is none."""
    return Screen(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH, soft_wrap=False)


def show_json(value: object) -> None:
    """Writes one JSON document on stdout."""
    sys.stdout.write(json_text(value) + "\n")


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    *,
    numbers: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> Table:
    """A table without box lines; `numbers`: columns set to the right, `whole`: those that are not broken."""
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        side: Literal["left", "right"] = "right" if column in numbers else "left"
        shown.add_column(column, justify=side, overflow="fold", no_wrap=column in whole)
    for row in rows:
        shown.add_row(*(harmless(cell) for cell in row))
    return shown
