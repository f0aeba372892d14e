"""Channels that stand out, as a table: what a recipe's log says of them."""

from __future__ import annotations

from collections.abc import Sequence

from paredown._report.format import DASH, number
from paredown._report.html import Html, tag
from paredown.measurement import StepRecord

HEAD = (
    "made by or read by",
    "loudest channel, times the typical one",
    "steps a typical channel covers",
    "done",
)


def table(log: Sequence[StepRecord]) -> Html | None:
    """One line for each place, the one that stands out most first; None where no channel stands out."""
    found = [r for r in log if "outlier" in r.data]
    if not found:
        return None
    found.sort(key=lambda r: -float(str(r.data["outlier"])))
    body = [tag("tr", [tag("td", cell) for cell in _cells(r)]) for r in found]
    head = tag("thead", tag("tr", [tag("th", words) for words in HEAD]))
    lines = tag("div", tag("table", head, tag("tbody", body)), class_="scroll")
    summary = tag("summary", tag("b", number(len(found), 0)), " with channels that stand out")
    return tag("details", summary, lines)


def _cells(record: StepRecord) -> tuple[Html | str, ...]:
    steps = record.data.get("typical_steps")
    return (
        tag("code", record.where),
        number(float(str(record.data["outlier"])), 1),
        DASH if steps is None else f"{number(float(str(steps)), 0)} of 256",
        str(record.data["handled"]),
    )
