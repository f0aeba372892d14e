"""The terminal, as far as it is ours: text is shown as it stands, and nothing foreign in it is obeyed."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from paredown.printable import printable


class Screen(Console):
    """A console that takes no word for markup or an emoji's name, and makes foreign text harmless.

    A text printed is one line: line feeds inside come from a name and are spelled out, those around it are
    ours. What has lines of its own is given as a rich `Text`.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def print(self, *objects: Any, **settings: Any) -> None:
        super().print(*(harmless(o) for o in objects), **settings)


def harmless(value: Any) -> Any:
    """A `str` or `Text` without what a terminal obeys; anything else as it is."""
    if isinstance(value, Text):
        return Text(printable(value.plain, keep_lines=True), style=value.style)
    if not isinstance(value, str):
        return value
    inner = value.strip("\n")
    if not inner:
        return value
    before, _, after = value.partition(inner)
    return f"{before}{printable(inner)}{after}"
