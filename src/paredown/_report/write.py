"""One study as one HTML file that works offline."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from paredown._report import (
    charts,
    details,
    downloads,
    environments,
    evidence,
    gallery,
    left_float,
    summary,
    unfinished,
)
from paredown._report.html import Html, tag
from paredown._report.story import Story
from paredown.errors import MissingDependency
from paredown.files import make_directory, write_named

NAV = (
    ("summary", "Summary"),
    ("trials", "Trials"),
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


# Before the page is painted, so that a dark screen does not flash; theme.js does the rest.
EARLY = (
    "document.documentElement.dataset.theme ="
    " matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';"
)


def render(story: Story, out: Path | None = None) -> Html:
    """The whole page. out: the file it is written to, for links to what lies beside it."""
    rows = evidence.rows(story)
    leading = evidence.leading(rows, story.metric)
    body = tag(
        "body",
        _top(story),
        tag("nav", tag("ul", [tag("li", tag("a", words, href=f"#{anchor}")) for anchor, words in NAV])),
        tag(
            "main",
            unfinished.banner(story),
            summary.summary(story, rows),
            summary.trials(story, rows),
            charts.trade_off(story, rows),
            charts.accuracy(story, leading),
            charts.over_time(leading),
            gallery.pictures(story),
            left_float.floats(story, rows),
            details.model_and_data(story),
            environments.environments(story),
            details.doubts(story, rows),
            downloads.downloads(story, rows, out),
            details.reproduce(story),
        ),
        tag("footer", "Written by Paredown. This file needs no network and sends nothing."),
        tag("script", _plotly()),
        tag("script", _packaged("theme.js")),
        tag("script", _packaged("layers.js")),
    )
    return Html("<!doctype html>\n" + tag("html", _head(story), body, lang="en"))


def _top(story: Story) -> Html:
    brand = tag("div", "Paredown ", tag("span", story.title), class_="brand")
    return tag("header", brand, tag("button", "Dark", type="button", class_="theme"), class_="top")


def _head(story: Story) -> Html:
    icon = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    icon += "%3Cpath d='M2 2v12h12' fill='none' stroke='%230072b2' stroke-width='2'/%3E"
    icon += "%3Cpath d='M4 11c2-6 4-7 9-7' fill='none' stroke='%23009e73' stroke-width='2'/%3E%3C/svg%3E"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"Paredown: {story.title}"),
        Html(f'<link rel="icon" href="{icon}">'),
        tag("style", _packaged("style.css")),
        tag("script", Html(EARLY)),
    )


def _packaged(name: str) -> Html:
    return Html((resources.files("paredown._report") / name).read_text(encoding="utf-8"))


def _plotly() -> Html:
    """plotly.js as it lies in the plotly package, read without importing the package's Python."""
    try:
        return Html(
            (resources.files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
        )
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise MissingDependency("plotly", None, "the report") from error
