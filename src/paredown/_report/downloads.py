"""What can be taken from the page: the figures, the pictures, and the models beside it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from paredown._report.evidence import Row
from paredown._report.format import kb_or_mb, plural
from paredown._report.gallery import data_uri
from paredown._report.html import Child, Html, section, tag
from paredown._report.story import Story
from paredown._report.trials_csv import trials_csv


def downloads(story: Story, rows: tuple[Row, ...], out: Path | None) -> Html:
    """The section. out: the file that the page is written to, which says where the models lie from there."""
    data = trials_csv(story.trials).encode()
    items: list[Child] = [
        [
            tag("a", "trials.csv", href=data_uri("text/csv;charset=utf-8", data), download="trials.csv"),
            f", {kb_or_mb(len(data))}: every trial with all its figures and intervals; in this page",
        ]
    ]
    if story.pictures:
        total = sum(len(p.float_jpeg) + len(p.other_jpeg) for p in story.pictures)
        n = plural(2 * len(story.pictures), "picture")
        words = f", {kb_or_mb(total)}: {n}, each with its link; in this page"
        items.append([tag("a", "pictures", href="#pictures"), words])
    made = [r for r in rows if r.trial.model_file is not None and r.trial.measurement is not None]
    made.sort(key=lambda r: r.role != "recommended")
    items += [_model(story, row, out) for row in made]
    lead = "Links to models lead to files beside this page: they work where the study directory is kept."
    return section("downloads", "Downloads", tag("ul", [tag("li", i) for i in items]), lead=lead)


def _model(story: Story, row: Row, out: Path | None) -> list[Child]:
    name = str(row.trial.model_file)
    size = row.get("size_bytes")
    words = f"{', ' + kb_or_mb(size.value) if size is not None else ''}: {row.label}"
    words += ", recommended" if row.role == "recommended" else ""
    link = None if out is None or story.directory is None else relative(story.directory / name, out.parent)
    shown: Child = tag("code", name) if link is None else tag("a", name, href=link, download=True)
    return [shown, words + ("" if link is not None else "; in the study directory")]


def relative(file: Path, folder: Path) -> str | None:
    """The link from a page in `folder` to a file at or below it; None where it lies elsewhere or is missing.

    A way up and down again would tell names of the folders of this machine.
    """
    if not file.is_file():
        return None
    way = Path(os.path.relpath(file.resolve(), folder.resolve()))
    return None if way.is_absolute() or ".." in way.parts else quote(way.as_posix())
