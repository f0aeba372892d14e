"""Runtime x recipe: what each pair takes and loses, and in words what was left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from paredown._report import evidence
from paredown._report.evidence import Row
from paredown._report.format import DASH, number, plural, shown
from paredown._report.html import Child, Html, section, tag
from paredown._report.story import Story
from paredown.agreement import is_agreement
from paredown.analyze.against_float import FLOAT, accuracy_of, is_unjudged, rounded
from paredown.study.choices import MOST_NAMED, Choice

_SIZED = re.compile(r"^size\d+(\+|$)")  # in front of a recipe at another input size

LEAD = (
    "Every pair of recipe and runtime: its latency as trials compare, and below it what it loses. All are "
    "timed round by round beside the float model in {usual}. A model that is clearly slower than one which "
    "loses next to nothing can neither win nor add to the trade-off, so it is not judged."
)


def matrix(story: Story, rows: tuple[Row, ...]) -> Html | None:
    """The table and what was left out; None where there is one runtime only."""
    runtimes = runtimes_of(story, rows)
    if len(runtimes) < 2:
        return None
    left = {(c.label.partition("@")[0], c.runtime): c for c in story.left_out}
    made = {(r.trial.short, r.trial.runtime): r for r in rows}
    names = _ordered(dict.fromkeys(name for name, _ in (*made, *left)))
    head = tag("tr", tag("th", "recipe"), [tag("th", runtime, class_="n") for runtime in runtimes])
    body = [
        tag("tr", tag("td", name, class_="recipe"), [_cell(made, left, name, r, story) for r in runtimes])
        for name in names
    ]
    table = tag("table", tag("thead", head), tag("tbody", body), class_="cards matrix")
    usual = evidence.float_row(rows)
    lead = LEAD.format(usual=runtimes[0] if usual is None else usual.trial.runtime)
    return section(
        "runtimes", "Runtimes", tag("div", table, class_="scroll wide"), *_left_out(story, rows), lead=lead
    )


def runtimes_of(story: Story, rows: Sequence[Row]) -> list[str]:
    """The runtimes of the trials and of what was left out, the usual one first."""
    found = [r.trial.runtime for r in rows if r.is_float]
    found += [*(r.trial.runtime for r in rows), *(c.runtime for c in story.left_out)]
    return list(dict.fromkeys(found))


def _ordered(names: Iterable[str]) -> list[str]:
    """Every recipe at the model's own input size and then at others, in the order of the recipes."""
    own = {name: _SIZED.sub("", name) or FLOAT for name in names}
    rank = {recipe: i for i, recipe in enumerate(dict.fromkeys(own.values()))}
    return sorted(own, key=lambda name: (rank[own[name]], name != own[name]))


def _cell(
    made: dict[tuple[str, str], Row],
    left: dict[tuple[str, str], Choice],
    name: str,
    runtime: str,
    story: Story,
) -> Html:
    row, choice = made.get((name, runtime)), left.get((name, runtime))
    if row is None:
        words, why = (
            (DASH, "this pair is not among those asked for") if choice is None else (choice.what, choice.why)
        )
        return tag("td", tag("small", words), class_="n out", data_label=runtime, title=why)
    if row.trial.error is not None:
        word, why = _refusal(row)
        return tag("td", tag("small", word), class_="n out failed", data_label=runtime, title=why)
    latency = row.get("latency_s")
    first: Child = shown(latency) if latency is not None else "not timed"
    mark = tag("span", "best", class_="mark best") if row.role == "recommended" else None
    small = tag("small", _lost(row, story))
    return tag(
        "td",
        tag("div", mark, " " if mark else None, first),
        small,
        class_=f"n {row.role}",
        data_label=runtime,
    )


def _lost(row: Row, story: Story) -> str:
    if row.is_float:
        return "the reference"
    lost = evidence.points_lost(row)
    if is_unjudged(row.trial) or lost is None:
        return "not judged"
    if is_agreement(story.metric):
        accuracy = accuracy_of(row.trial)
        return DASH if accuracy is None else f"{number(rounded(100 * accuracy.value), 2)} % agreement"
    points = rounded(lost.value)
    return f"{number(abs(points), 2)} points {'lost' if points >= 0 else 'gained'}"


def _left_out(story: Story, rows: Sequence[Row]) -> list[Child]:
    """What was not tried, not judged, refused: one line for each reason, with the pairs it holds for."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for choice in story.left_out:
        reasons.setdefault((choice.what, choice.why), []).append(choice.label)
    for row in rows:
        if row.trial.error is not None:
            reasons.setdefault(_refusal(row), []).append(row.label)
    whole = [note for note in story.dataset.notes if note.startswith("not tried: ")]
    if not reasons and not whole:
        return []
    lines: list[Child] = [
        tag("li", *_named(labels, f" {what}: {why}")) for (what, why), labels in reasons.items()
    ]
    lines += [tag("li", note) for note in whole]
    return [
        tag("h3", f"Left out, and why ({plural(sum(map(len, reasons.values())), 'pair')})"),
        tag("ul", lines),
    ]


def _named(labels: list[str], words: str) -> tuple[Child, ...]:
    """Which pairs something holds for; many of them to be opened."""
    if len(labels) <= MOST_NAMED:
        return tag("b", ", ".join(labels)), words
    names = tag("details", tag("summary", "which"), ", ".join(labels))
    return tag("b", plural(len(labels), "pair")), words, names


def _refusal(row: Row) -> tuple[str, str]:
    """Whether it was refused or something of ours broke, and why, without the name of its file."""
    why = re.sub(rf"^{re.escape(row.label)}\.\S+: ", "", str(row.trial.error).splitlines()[0])
    return "failed" if "defect" in why else "refused", why
