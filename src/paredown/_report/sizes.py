"""Objects by their size: how many there are, how many each model misses, and how many it makes up."""

from __future__ import annotations

from paredown._report import evidence
from paredown._report.evidence import Row
from paredown._report.format import DASH, number, percent
from paredown._report.html import Child, Html, tag

SIZES = (
    ("small", "under 32\u00d732 pixels"),
    ("medium", "in between"),
    ("large", "over 96\u00d796 pixels"),
)


def block(rows: tuple[Row, ...]) -> list[Child]:
    """Title, words and table; empty where no model was judged by sizes."""
    judged = [r for r in evidence.measured(rows) if len(r.curve("size_truths")) == len(SIZES)]
    if not judged:
        return []
    truths = judged[0].curve("size_truths")
    heads = [
        tag("th", size, tag("small", f"{number(n, 0)} objects {where}"), class_="n", colspan="3")
        for (size, where), n in zip(SIZES, truths, strict=True)
    ]
    second = [tag("th", words, class_="n") for _ in SIZES for words in ("AP", "missed", "false")]
    table = tag(
        "table",
        tag("thead", tag("tr", tag("th", "model"), heads), tag("tr", tag("th"), second)),
        tag("tbody", [tag("tr", _line(row), class_=row.role) for row in judged]),
        class_="cards sizes",
    )
    lead = (
        "AP50-95 of the objects of each size; how many are missed, and how many detections find nothing, at "
        "the card's confidence and IoU 0.5. Measured."
    )
    return [
        tag("h3", "By size"),
        tag("p", lead, class_="lead"),
        tag("div", table, class_="scroll wide"),
    ]


def _line(row: Row) -> list[Html]:
    cells = [tag("td", row.label, class_="recipe")]
    columns = (row.curve(f"size_{part}") for part in ("truths", "missed", "false"))
    for (size, _), truths, missed, false in zip(SIZES, *columns, strict=True):
        ap = row.get(f"ap_{size}")
        share = DASH if truths == 0 else percent(missed / truths)
        values = (DASH if ap is None else number(ap.value, 3), share, number(false, 0))
        for value, words in zip(values, ("AP", "missed", "false"), strict=True):
            cells.append(tag("td", value, class_="n", data_label=f"{size}, {words}"))
    return cells
