"""What was looked at over minutes, as one HTML file of its own."""

from __future__ import annotations

from pathlib import Path

from paredown._report import page
from paredown._report.endurance import sections
from paredown._report.html import Html, tag
from paredown.endurance import Endurance
from paredown.files import make_directory, write_named


def write_endurance(found: Endurance, out: Path, *, force: bool = False) -> Path:
    """The path of the written file. Raises StorageError; UsageError where a file stands there, unless
    `force`."""
    make_directory(out.parent)
    write_named(out, render(found).encode(), force=force)
    return out


def render(found: Endurance) -> Html:
    """The whole page."""
    head = tag(
        "section", tag("h1", found.model), tag("p", f"{found.machine}, {found.made_on}", class_="lead")
    )
    body = tag("body", page.top(found.model), tag("main", head, sections(found)), page.closing())
    return page.whole(found.model, body)
