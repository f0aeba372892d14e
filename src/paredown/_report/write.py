"""One study as one HTML file that works offline."""

from __future__ import annotations

from pathlib import Path

from paredown._report import (
    charts,
    details,
    downloads,
    endurance,
    environments,
    evidence,
    gallery,
    left_float,
    matrix,
    page,
    summary,
    unfinished,
)
from paredown._report.choosing.gathered import priorities_of
from paredown._report.choosing.section import choosing
from paredown._report.html import Html, tag
from paredown._report.in_words import summary_md
from paredown._report.story import Story
from paredown._report.trials_csv import trials_csv
from paredown.files import make_directory, write_named, write_whole

NAV = (
    ("summary", "Summary"),
    ("trials", "Trials"),
    ("which", "Which for what"),
    ("trade-off", "Trade-off"),
    ("accuracy", "Accuracy"),
    ("over-time", "Over time"),
    ("pictures", "Pictures"),
    ("left-float", "Left float"),
    ("surroundings", "Surroundings"),
    ("doubts", "Doubts"),
    ("downloads", "Downloads"),
    ("reproduce", "Run it again"),
)


def write_report(story: Story, out: Path, *, force: bool = True) -> Path:
    """The path of the written file, which is whole or was not touched.

    Raises: StorageError; UsageError where a file stands there and `force` is not given.
    """
    make_directory(out.parent)
    write_named(out, render(story, out).encode(), force=force)
    return out


def write_pages(story: Story, directory: Path) -> Path:
    """The path of report.html in the study's directory, with summary.md and trials.csv beside it.

    Raises: StorageError.
    """
    make_directory(directory)
    write_whole(directory / "summary.md", summary_md(story).encode())
    write_whole(directory / "trials.csv", trials_csv(story.trials).encode())
    return write_report(story, directory / "report.html")


def render(story: Story, out: Path | None = None) -> Html:
    """The whole page. out: the file it is written to, for links to what lies beside it."""
    rows = evidence.rows(story)
    leading = evidence.leading(rows, story.metric)
    several = len(matrix.runtimes_of(story, rows)) > 1
    body = tag(
        "body",
        page.top(story.title),
        tag(
            "nav",
            tag("ul", [tag("li", tag("a", words, href=f"#{anchor}")) for anchor, words in _nav(several)]),
        ),
        tag(
            "main",
            unfinished.banner(story),
            summary.summary(story, rows),
            matrix.matrix(story, rows),
            summary.trials(story, rows),
            choosing(priorities_of(story), story.metric),
            charts.trade_off(story, rows),
            charts.accuracy(story, leading),
            charts.over_time(leading),
            gallery.pictures(story),
            left_float.floats(story, rows),
            details.model_and_data(story),
            [
                endurance.sections(found, f"-{i}", name)
                for i, (name, found) in enumerate(story.endurance.items())
            ],
            environments.environments(story),
            details.doubts(story, rows),
            downloads.downloads(story, rows, out),
            details.reproduce(story),
        ),
        page.closing(),
        tag("script", page.packaged("layers.js")),
        tag("script", page.packaged("gallery.js")),
    )
    return page.whole(story.title, body)


def _nav(several: bool) -> list[tuple[str, str]]:
    """The sections of the page; that of runtimes only where there are several."""
    return [*NAV[:1], *([("runtimes", "Runtimes")] if several else []), *NAV[1:]]
