"""The page over a study of several models, as one HTML file that works offline."""

from __future__ import annotations

from pathlib import Path

from paredown._report import page
from paredown._report.choosing.section import choosing
from paredown._report.format import plural
from paredown._report.gallery import data_uri
from paredown._report.html import Child, Html, bullets, nothing, section, tag
from paredown._report.in_words import several_md
from paredown._report.several import figures, matrix, pairs, published, verdicts
from paredown._report.several.stories import (
    Stories,
    candidates_of,
    kept_of,
    part_of,
    priorities_over,
    rows_of,
)
from paredown._report.trials_csv import trials_csv
from paredown._report.unfinished import banner_over
from paredown.analyze.doubts import summed_up
from paredown.analyze.priorities import Priorities
from paredown.files import make_directory, write_whole

NAV = (
    ("summary", "Summary"),
    ("verdicts", "Verdicts"),
    ("which", "Which for what"),
    ("figures", "Trade-off"),
    ("pairs", "Two beside each other"),
    ("matrix", "Every recipe"),
    ("published", "Published"),
    ("doubts", "Doubts"),
    ("reproduce", "Run it again"),
)


def write_index_pages(stories: Stories, directory: Path) -> Path:
    """The path of report.html over all parts, summary.md and trials.csv beside it. Raises StorageError."""
    make_directory(directory)
    write_whole(directory / "summary.md", several_md(stories).encode())
    write_whole(directory / "trials.csv", _csv(stories))
    write_whole(directory / "report.html", render_index(stories).encode())
    return directory / "report.html"


def render_index(stories: Stories) -> Html:
    """The whole page."""
    given = candidates_of(stories)
    found = priorities_over(stories, given)
    links = {c.name: tag("a", c.name, href=verdicts.link_of(part_of(stories, c))) for c in given}
    body = (
        _summary(stories, found, len(given)),
        verdicts.verdicts(stories),
        choosing(found, stories.metric, lambda name: links.get(name, name)) if given else None,
        figures.figures(stories, found, rows_of(found, given)),
        pairs.pairs(found, kept_of(stories, given), stories.metric),
        matrix.matrix(stories),
        published.published(stories),
        _doubts(stories),
        _reproduce(stories),
    )
    made = [part for part in body if part is not None]
    there = [(anchor, words) for anchor, words in NAV if any(f'id="{anchor}"' in part for part in made)]
    menu = tag("ul", [tag("li", tag("a", words, href=f"#{anchor}")) for anchor, words in there])
    return page.whole(
        stories.index.title,
        tag(
            "body",
            page.top(stories.index.title),
            tag("nav", menu, aria_label="Sections"),
            tag("main", made),
            page.closing(),
            tag("script", page.packaged("layers.js")),
            tag("script", page.packaged("pairs.js")),
        ),
    )


def _summary(stories: Stories, found: Priorities, n: int) -> Html:
    """What wins, in a sentence and in tiles of the guideline."""
    index = stories.index
    done = sum(e.state == "finished" for e in index.entries)
    counted = (
        f"{plural(len(index.models), 'model')}, {done} of {plural(len(index.entries), 'part')} finished, "
    )
    counted += plural(n, "candidate")
    headline = f"The balanced choice: {found.reference}" if found.reference else "Nothing to say yet"
    tiles = [
        tag(
            "div",
            tag("div", a.priority, class_="name"),
            tag("div", a.candidate.name, class_="pick"),
            class_="tile",
        )
        for a in found.advice
    ]
    inside: list[Child] = [tag("p", counted, class_="kicker"), tag("h1", headline)]
    inside += [tag("p", index.about, class_="lead")] if index.about else []
    inside += [tag("div", tiles, class_="tiles")] if tiles else [nothing("No part has figures yet.")]
    return tag("section", banner_over(stories), tag("div", inside, class_="hero"), id="summary")


def _doubts(stories: Stories) -> Html:
    said = [*stories.apart, *stories.index.notes, *summed_up(stories.trials)]
    body = (
        tag("div", bullets(said), class_="doubts")
        if said
        else nothing("No measurement gave a reason for doubt.")
    )
    return section("doubts", "Doubts", body)


def _csv(stories: Stories) -> bytes:
    """trials.csv of all parts."""
    parts = [label for label, story in stories.parts.items() for _ in story.trials]
    return trials_csv(stories.trials, parts).encode()


def _reproduce(stories: Stories) -> Html:
    csv = data_uri("text/csv;charset=utf-8", _csv(stories))
    link = tag("a", "trials.csv", href=csv, download="trials.csv")
    made = f"Made on {stories.index.made_on}. " if stories.index.made_on else ""
    words = tag("p", made, "Every trial with all its figures: ", link, ", in this page.", class_="lead")
    return section(
        "reproduce", "Run it again", tag("pre", stories.index.command or "paredown study FILE.toml"), words
    )
