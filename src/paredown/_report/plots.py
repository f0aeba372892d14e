"""The kinds of plot a report is made of, as plain values. A colour is written "--name": the page's theme
puts in its own."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from paredown._report import evidence
from paredown._report.evidence import Row
from paredown._report.format import look, number, plural, shown_whole
from paredown._report.html import Html, tag
from paredown.measurement import Quantity
from paredown.quantities import QuantityKind

SERIES = tuple(f"--series-{i}" for i in range(1, 8))
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
MARKS = {"recommended": "star", "float": "square", "stock": "diamond-open", "plain": "circle"}
COLOURS = {"recommended": "--best", "float": "--float", "stock": "--stock", "plain": "--plain"}


@dataclass(frozen=True)
class Figure:
    """One plot with the sentence below it. `anchor` is unique in the page."""

    anchor: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    caption: str
    height: int = 380


def draw(figure: Figure) -> Html:
    """<figure> with the plot's values as JSON for theme.js. "<" is escaped: no value can end the script."""
    values = json.dumps(_finite({"data": figure.data, "layout": figure.layout}), allow_nan=False)
    return tag(
        "figure",
        tag(
            "div",
            id=figure.anchor,
            class_="plot",
            style=f"height:{figure.height}px",
            role="img",
            aria_label=figure.caption,
        ),
        tag("script", Html(values.replace("<", "\\u003c")), type="application/json", data_for=figure.anchor),
        tag("figcaption", figure.caption),
    )


def _finite(value: Any) -> Any:
    """The value with null for what JSON cannot hold; plotly leaves a gap there."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def axis(title: str, **more: Any) -> dict[str, Any]:
    return {"title": {"text": title}, "automargin": True, **more}


def scaled(quantity: Quantity) -> float:
    return quantity.value * look(quantity).scale


def errors(quantities: Sequence[Quantity]) -> dict[str, Any]:
    """Error bars from the intervals, in the shown unit; invisible where none has one."""
    above = [0.0 if q.high is None else max(0.0, q.high - q.value) * look(q).scale for q in quantities]
    below = [0.0 if q.low is None else max(0.0, q.value - q.low) * look(q).scale for q in quantities]
    return error_bars(above, below)


def error_bars(above: list[float], below: list[float]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": above,
        "arrayminus": below,
        "visible": any(above) or any(below),
        "thickness": 1.2,
        "width": 4,
        "color": "--muted",
    }


LONGEST = 36  # letters of a name beside a bar: a longer one would leave no room for the bar


def elided(labels: Sequence[str]) -> list[str]:
    """The names as a plot can show them, long ones without their middle; whole where two would look alike."""
    half = LONGEST // 2 - 1
    short = [n if len(n) <= LONGEST else f"{n[:half]}\u2026{n[-half:]}" for n in labels]
    return [s if short.count(s) == 1 else n for s, n in zip(short, labels, strict=True)]


CUT = " \u25b8\u25b8"  # behind a bar that goes on beyond the axis
CUT_WORDS = f"{CUT}: longer than the axis, which is cut so that the others can be read."
OUTLIER = 3.0  # times the median: from there on a value would press all others together


def cut(values: Sequence[float], reference: float = 0.0) -> float | None:
    """Where an axis from zero is cut off, as a few values lie far above the rest; None where none does.

    reference: the float model's value, which is never cut: everything is compared with it.
    """
    middle = max(median(values), reference)
    rest = [v for v in values if v <= OUTLIER * middle]
    few = 0 < len(values) - len(rest) <= len(values) / 3
    return 1.15 * max(rest) if few and max(rest) > 0 else None


def reference_of(pairs: Sequence[tuple[Row, float]]) -> float:
    """The value of the float model among those of all rows; 0 where it has none."""
    return max((value for row, value in pairs if row.is_float), default=0.0)


def bars(all_rows: tuple[Row, ...], kind: QuantityKind) -> Figure | None:
    """One horizontal bar per trial that has the quantity, with its interval; None where none is drawn."""
    found = [(r, q) for r in all_rows if (q := r.get(kind.name)) is not None]
    if not found or not kind.caption:
        return None
    labels, quantities = elided([r.label for r, _ in found]), [q for _, q in found]
    values = [scaled(q) for q in quantities]
    limit = cut(values, reference_of([(r, scaled(q)) for r, q in found]))
    far = [limit is not None and v > limit for v in values]
    drawn = [replace(q, low=None, high=None) if f else q for f, q in zip(far, quantities, strict=True)]
    ends = _ends(quantities, limit)
    bar = {
        "type": "bar",
        "orientation": "h",
        "y": labels,
        "x": [v if limit is None else min(v, limit) for v in values],
        "error_x": errors(drawn),
        "marker": {"color": [COLOURS[r.role] for r, _ in found]},
        "hovertext": [shown_whole(q) for q in quantities],
        "hovertemplate": "%{y}: %{hovertext}<extra></extra>",
    }
    text = [f"{CUT if f else ''}  {shown_whole(q)}" for f, q in zip(far, quantities, strict=True)]
    words = _words(labels, ends, text)
    # beside milliseconds stand frames per second; "points/MB" is long
    room = 1.7 if kind.rate else 1.24 if len(look(quantities[0]).shown) < 6 else 1.45
    unit = look(quantities[0]).shown
    layout = {
        "xaxis": axis(f"{kind.title}, {unit}" if unit else kind.title, range=[0, room * max(*ends, 1e-9)]),
        "yaxis": axis("", autorange="reversed", ticksuffix="  ", showgrid=False),
        "showlegend": False,
        "bargap": 0.35,
    }
    note = kind.caption.replace("{how}", evidence.unit_note(quantities)) + (CUT_WORDS if any(far) else "")
    anchor = f"plot-{kind.name}".replace("_", "-")
    return Figure(anchor, [bar, words], layout, note, height=90 + 34 * len(found))


def _words(labels: list[str], ends: list[float], text: list[str]) -> dict[str, Any]:
    """The value of each bar, written behind it."""
    return {
        "type": "scatter",
        "mode": "text",
        "y": labels,
        "x": ends,
        "text": text,
        "textposition": "middle right",
        "cliponaxis": False,
        "hoverinfo": "skip",
    }


def _ends(quantities: Sequence[Quantity], limit: float | None) -> list[float]:
    """Where the words behind each bar begin: behind its interval, inside of the axis."""
    values = [scaled(q) for q in quantities]
    room = 1.6 * max(values) if limit is None else limit  # an interval may be wider than all values
    highs = [v if q.high is None else q.high * look(q).scale for v, q in zip(values, quantities, strict=True)]
    return [min(max(v, high), max(room, 0.0)) for v, high in zip(values, highs, strict=True)]


def lines(
    series: Sequence[tuple[Row, Sequence[float], Sequence[float]]],
    anchor: str,
    titles: tuple[str, str],
    caption: str,
    *,
    log: bool = False,
) -> Figure | None:
    """One line per trial; None without any. `titles`: of the two axes."""
    if not series:
        return None
    data = []
    for i, (row, x, y) in enumerate(series):
        strong = row.role in ("recommended", "float")
        line = {
            "color": COLOURS[row.role] if strong else SERIES[i % len(SERIES)],
            "width": 2.6 if strong else 1.5,
            "dash": "solid" if strong else DASHES[i % len(DASHES)],
        }
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": row.label,
                "x": list(x),
                "y": [v if v > 0 or not log else None for v in y],
                "line": line,
            }
        )
    upright, note = _upright([y for _, _, y in series if y], titles[1], log=log)
    layout = {"xaxis": axis(titles[0]), "yaxis": upright, "showlegend": True}
    return Figure(anchor, data, layout, caption + note)


def _upright(series: Sequence[Sequence[float]], title: str, *, log: bool) -> tuple[dict[str, Any], str]:
    """The upright axis of lines, cut where a few would press all others down, and words that say so."""
    positive = [v for y in series for v in y if v > 0]
    if log and positive and max(positive) > 20 * min(positive):
        return axis(title, type="log", dtick=1), ""
    edge = cut([median(y) for y in series]) if series else None
    near = sorted(v for y in series if edge is None or median(y) <= edge for v in y)
    every = [v for y in series for v in y]
    limit = 1.25 * near[int(0.98 * (len(near) - 1))] if near else 0.0
    if not every or max(every) <= 1.6 * limit:
        return axis(title, rangemode="tozero"), ""
    above, most = sum(v > limit for v in every), number(max(every), 0)
    words = (
        f" The axis is cut: {number(above, 0)} of {plural(len(every), 'reading')} lie above it, up to {most}."
    )
    return axis(title, range=[0, limit]), words
