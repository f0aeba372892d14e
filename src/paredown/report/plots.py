"""Plotly figures as plain values. A colour is written "--name": the page puts in the theme's own.

Shapes: t = number of trials.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from paredown.measurement import Quantity
from paredown.report import evidence
from paredown.report.evidence import Row
from paredown.report.format import look, shown, title_of
from paredown.report.html import Html, tag

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
    config: dict[str, Any] = field(default_factory=dict)


def draw(figure: Figure) -> Html:
    """<figure> with the plot's values as JSON; theme.js draws it. "<" is escaped so that no value ends the script."""
    values = json.dumps({"data": figure.data, "layout": figure.layout}, allow_nan=False).replace(
        "<", "\\u003c"
    )
    return tag(
        "figure",
        tag("div", id=figure.anchor, class_="plot", style=f"height:{figure.height}px"),
        tag("script", Html(values), type="application/json", data_for=figure.anchor),
        tag("figcaption", figure.caption),
    )


def axis(title: str, **more: Any) -> dict[str, Any]:
    return {"title": {"text": title}, "automargin": True, **more}


def scaled(quantity: Quantity) -> float:
    return quantity.value * look(quantity).scale


def errors(quantities: Sequence[Quantity]) -> dict[str, Any]:
    """Error bars from the intervals, in the shown unit; invisible where none has one."""
    above = [0.0 if q.high is None else (q.high - q.value) * look(q).scale for q in quantities]
    below = [0.0 if q.low is None else (q.value - q.low) * look(q).scale for q in quantities]
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, v) for v in above],
        "arrayminus": [max(0.0, v) for v in below],
        "visible": any(above) or any(below),
        "thickness": 1.2,
        "width": 4,
        "color": "--muted",
    }


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points no other point beats (x: lower is better, y: higher is better), by rising x."""
    best, kept = float("-inf"), []
    for i in sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1])):
        if points[i][1] > best:
            best = points[i][1]
            kept.append(i)
    return kept


def trade_off(all_rows: tuple[Row, ...], metric: str) -> Figure | None:
    """Accuracy against latency with the Pareto front; None with fewer than two complete trials."""
    found = [(r, r.get("latency_s"), r.get(metric)) for r in all_rows]
    complete = [(r, x, y) for r, x, y in found if x is not None and y is not None]
    if len(complete) < 2:
        return None
    at = [(scaled(x), scaled(y)) for _, x, y in complete]
    kept = [at[i] for i in front(at)]
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "Pareto front",
            "x": [p[0] for p in kept],
            "y": [p[1] for p in kept],
            "line": {
                "shape": "vh" if len(kept) > 2 else "linear",
                "width": 2,
                "dash": "dot",
                "color": "--front",
            },
            "hoverinfo": "skip",
        }
    ]
    for (row, x, y), (px, py) in zip(complete, at, strict=True):
        data.append(
            {
                "type": "scatter",
                "mode": "markers+text",
                "name": row.label,
                "x": [px],
                "y": [py],
                "error_x": errors([x]),
                "error_y": errors([y]),
                "text": [row.label],
                "textposition": "top center",
                "cliponaxis": False,
                "marker": {
                    "symbol": MARKS[row.role],
                    "size": 17 if row.role == "recommended" else 11,
                    "color": COLOURS[row.role],
                    "line": {"width": 1.5, "color": COLOURS[row.role]},
                },
                "hovertemplate": f"{row.label}<br>{title_of(metric)} {shown(y)}<br>{shown(x)}<extra></extra>",
            }
        )
    how = evidence.unit_note([q for _, x, y in complete for q in (x, y)])
    caption = (
        f"Accuracy against latency, {how}; up and to the left is better. Bars are 95 % intervals. The dotted line "
        "joins the models that no other model beats in both. Star: recommended; open diamond: another tool's defaults."
    )
    layout = {
        "xaxis": axis("median latency, ms", rangemode="tozero"),
        "yaxis": axis(title_of(metric)),
        "showlegend": False,
    }
    return Figure("plot-trade-off", data, layout, caption, height=460)


def bars(all_rows: tuple[Row, ...], name: str, anchor: str, caption: str) -> Figure | None:
    """One horizontal bar per trial that has the quantity, with its interval; None where none has it."""
    found = [(r, q) for r in all_rows if (q := r.get(name)) is not None]
    if not found:
        return None
    quantities = [q for _, q in found]
    unit = look(quantities[0]).unit
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "y": [r.label for r, _ in found],
            "x": [scaled(q) for q in quantities],
            "error_x": errors(quantities),
            "text": [shown(q) for q in quantities],
            "textposition": "inside",
            "insidetextanchor": "start",
            "textangle": 0,
            "marker": {"color": [COLOURS[r.role] for r, _ in found]},
            "hovertemplate": "%{y}: %{text}<extra></extra>",
        }
    ]
    layout = {
        "xaxis": axis(f"{title_of(name)}, {unit}", rangemode="tozero"),
        "yaxis": axis("", autorange="reversed", ticksuffix="  "),
        "showlegend": False,
        "bargap": 0.35,
    }
    text = caption.replace("{how}", evidence.unit_note(quantities))
    return Figure(anchor, data, layout, text, height=90 + 34 * len(found))


def lines(
    series: Sequence[tuple[Row, Sequence[float], Sequence[float]]],
    anchor: str,
    titles: tuple[str, str],
    caption: str,
    **layout: Any,
) -> Figure | None:
    """One line per trial; None without any. `titles`: of the two axes."""
    if not series:
        return None
    data = []
    for i, (row, x, y) in enumerate(series):
        strong = row.role in ("recommended", "float")
        colour = COLOURS[row.role] if strong else SERIES[i % len(SERIES)]
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": row.label,
                "x": list(x),
                "y": list(y),
                "line": {
                    "color": colour,
                    "width": 2.6 if strong else 1.5,
                    "dash": "solid" if strong else DASHES[i % len(DASHES)],
                },
            }
        )
    return Figure(
        anchor,
        data,
        {
            "xaxis": axis(titles[0]),
            "yaxis": axis(titles[1], rangemode="tozero"),
            "showlegend": True,
            **layout,
        },
        caption,
    )
