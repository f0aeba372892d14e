"""Accuracy against latency with the Pareto front: one figure, labelled where there is room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from paredown._report import evidence
from paredown._report.evidence import Row
from paredown._report.format import look, number, shown, shown_whole
from paredown._report.plots import COLOURS, MARKS, Figure, axis, cut, error_bars, errors, reference_of, scaled
from paredown.agreement import is_agreement
from paredown.analyze.pareto import pareto_front
from paredown.measurement import Quantity
from paredown.metrics import title_of

Point = tuple[float, float]

RUNTIMES = tuple(f"--series-{i}" for i in (5, 1, 3, 4, 2, 6, 7))
# A model that lost more than this share of the best accuracy is drawn on the lower edge: at true scale one
# collapsed model would press all others into a line.
COLLAPSED = 0.25
# The plot as it stands on a desktop, for choosing where labels go: width, height, letter, line in pixels.
WIDTH, HEIGHT, LETTER, LINE = 980.0, 350.0, 7.2, 15.0
PLACES = {  # text position -> which way the label's box lies from its point
    "top center": (0, 1),
    "bottom center": (0, -1),
    "middle right": (1, 0),
    "middle left": (-1, 0),
    "top right": (1, 1),
    "bottom right": (1, -1),
    "top left": (-1, 1),
    "bottom left": (-1, -1),
}


@dataclass(frozen=True)
class Mark:
    """One model in the plot. `x`, `y`: where it is drawn, on the lower edge where `collapsed`, on the right
    edge where `far`.

    Where it is not `labelled` its name is seen by pointing at it.
    """

    row: Row
    latency: Quantity
    accuracy: Quantity
    lost: Quantity | None
    y: float
    collapsed: bool
    labelled: bool
    x: float
    far: bool

    @property
    def short(self) -> str:
        """The label where a colour says the runtime."""
        return self.label.replace(self.row.label, self.row.trial.short, 1)

    @property
    def label(self) -> str:
        said = [number(self.accuracy.value, 3)] if self.collapsed else []
        said += [shown(self.latency)] if self.far else []
        return f"{self.row.label} ({', '.join(said)})" if said else self.row.label


def figure(all_rows: tuple[Row, ...], metric: str) -> Figure | None:
    """The scatter with its front; None with fewer than two complete trials."""
    labelled = {id(r) for r in evidence.leading(all_rows, metric)}
    found = [
        (r, x, y, evidence.points_lost(r))
        for r in all_rows
        if (x := r.get("latency_s")) is not None and (y := r.get(metric)) is not None
    ]
    if len(found) < 2:
        return None
    top = max(y.value for _, _, y, _ in found)
    upright = [(y, lost) for _, _, y, lost in found if y.value >= (1 - COLLAPSED) * top]
    least, most = min(y.value for y, _ in upright), max(y.value for y, _ in upright)
    pad = max(0.18 * (most - least), 0.01 * top, 1e-6)
    floor = min(least - 2 * pad, *(y.value - _paired_ends(lost)[0] for y, lost in upright))
    ceiling = max(most + pad, *(y.value + _paired_ends(lost)[1] for y, lost in upright))
    edge = cut([scaled(x) for _, x, _, _ in found], reference_of([(r, scaled(x)) for r, x, _, _ in found]))
    marks = [
        Mark(r, x, y, lost, max(y.value, floor), y.value < floor, id(r) in labelled, *_across(x, edge))
        for r, x, y, lost in found
    ]
    ends = [m.x + (0.0 if m.far else errors([m.latency])["array"][0]) for m in marks]
    x_range = (0.0, max(1.08 * max(m.x for m in marks), 1.02 * max(ends)))
    y_range = (floor - 0.6 * pad, ceiling + 0.6 * pad)
    positions = _label_places(marks, x_range, y_range)
    colours = runtime_colours(all_rows)
    data = [_front_line(marks), *_legend(colours)]
    data += [_scatter(m, p, metric, colours) for m, p in zip(marks, positions, strict=True)]
    layout = {
        "xaxis": axis(evidence.latency_title(all_rows), range=list(x_range)),
        "yaxis": axis(
            title_of(metric),
            range=list(y_range),
            tickformat=_ticks(found[0][2], y_range[1] - y_range[0]),
        ),
        "showlegend": bool(colours),
    }
    return Figure("plot-trade-off", data, layout, _caption(marks), height=440)


def _ticks(accuracy: Quantity, span: float) -> str:
    """How the upright axis writes its values: as tables do."""
    if look(accuracy).shown == "%":
        return ".0%" if span > 0.08 else ".1%"
    return ".2f" if span > 0.08 else ".3f"


def runtime_colours(all_rows: tuple[Row, ...]) -> dict[str, str]:
    """A colour for each runtime, the usual one first; empty where there is one only."""
    names = list(dict.fromkeys(r.trial.runtime for r in all_rows))
    return {} if len(names) < 2 else dict(zip(names, cycle(RUNTIMES), strict=False))


def _legend(colours: Mapping[str, str]) -> list[dict[str, Any]]:
    """An entry for each runtime; on a narrow screen the marks have entries of their own, and theme.js drops
    these."""
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": runtime,
            "x": [None],
            "y": [None],
            "meta": "key",
            "marker": {"symbol": "circle", "size": 11, "color": colour},
        }
        for runtime, colour in colours.items()
    ]


def _across(latency: Quantity, edge: float | None) -> tuple[float, bool]:
    """Where a mark stands from left to right, and whether it lies beyond the right edge."""
    x = scaled(latency)
    return (x, False) if edge is None else (min(x, edge), x > edge)


def _front_line(marks: Sequence[Mark]) -> dict[str, Any]:
    front = pareto_front([(m.x, m.accuracy.value) for m in marks], ("lower", "higher"))
    kept = sorted((marks[i] for i in front), key=lambda m: m.x)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "Pareto front",
        "showlegend": False,
        "x": [m.x for m in kept],
        "y": [m.y for m in kept],
        "line": {"width": 2, "dash": "dot", "color": "--front"},
        "hoverinfo": "skip",
    }


def _scatter(mark: Mark, position: str, metric: str, colours: Mapping[str, str]) -> dict[str, Any]:
    colour = colours.get(mark.row.trial.runtime, COLOURS[mark.row.role])
    label = mark.short if colours else mark.label
    words = f"{title_of(metric)} {shown(mark.accuracy)}"
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": mark.label,
        "x": [mark.x],
        "y": [mark.y],
        "error_x": error_bars([0.0], [0.0]) if mark.far else errors([mark.latency]),
        "error_y": _paired_bars(mark),
        "text": [f" {label} " if mark.labelled else ""],
        "showlegend": False,
        "customdata": [mark.label],
        "textposition": position,
        "cliponaxis": False,
        "marker": {
            "symbol": _symbol(mark),
            "size": 17 if mark.row.role == "recommended" else 11,
            "color": colour,
            "line": {"width": 1.5, "color": colour},
        },
        "hovertemplate": f"{words}<br>{shown_whole(mark.latency)}<extra>%{{customdata}}</extra>",
    }


def _symbol(mark: Mark) -> str:
    if mark.far:
        return "triangle-right"
    return "triangle-down" if mark.collapsed else MARKS[mark.row.role]


def _paired_bars(mark: Mark) -> dict[str, Any]:
    """The interval of the difference to float: the same images, so far narrower than that of either model."""
    below, above = (0.0, 0.0) if mark.collapsed else _paired_ends(mark.lost)
    return error_bars([above], [below])


def _paired_ends(lost: Quantity | None) -> Point:
    """How far that interval reaches below and above the accuracy, in the metric: more lost is lower."""
    if lost is None or lost.low is None or lost.high is None:
        return 0.0, 0.0
    return max(0.0, lost.high - lost.value) / 100, max(0.0, lost.value - lost.low) / 100


def _caption(marks: Sequence[Mark]) -> str:
    how = evidence.unit_note([q for m in marks for q in (m.latency, m.accuracy)])
    what = "Agreement with float" if is_agreement(marks[0].accuracy.name) else "Accuracy"
    text = (
        f"{what} against latency, {how}; up and to the left is better. Latency is float's own, times the "
        "ratio of the rounds that both were timed in. Bars are 95 % intervals, upright those of the "
        "difference to float. The dotted line joins the models that none beats in both. "
        "Star: recommended; open diamond: another tool's defaults."
    )
    if len({m.row.trial.runtime for m in marks}) > 1:
        text += " The colour says the runtime."
    if any(m.collapsed or m.far for m in marks):
        text += " Triangle: lies far beyond this scale, the way it points, with its value beside it."
    if all(m.labelled for m in marks):
        return text
    return (
        text + " Without a name: tried by the search, and another beats it in both; point at it for its name."
    )


def _label_places(marks: Sequence[Mark], x_range: Point, y_range: Point) -> list[str]:
    """A text position for each mark, such that labels hide neither each other nor a mark where possible."""
    centres = [
        (
            WIDTH * (m.x - x_range[0]) / (x_range[1] - x_range[0]),
            HEIGHT * (m.y - y_range[0]) / (y_range[1] - y_range[0]),
        )
        for m in marks
    ]
    per_unit = HEIGHT / (y_range[1] - y_range[0])
    per_ms = WIDTH / (x_range[1] - x_range[0])
    taken = [_mark_box(m, centre, per_unit) for m, centre in zip(marks, centres, strict=True)]
    taken += [_level_bar(m, centre, per_ms) for m, centre in zip(marks, centres, strict=True)]
    chosen = []
    for mark, centre in zip(marks, centres, strict=True):
        if not mark.labelled:
            chosen.append("top center")
            continue
        boxes = {place: _label_box(mark.label, centre, way) for place, way in PLACES.items()}
        best = min(
            boxes, key=lambda place: sum(_shared(boxes[place], t) for t in taken) + _outside(boxes[place])
        )
        chosen.append(best)
        taken.append(boxes[best])
    return chosen


Box = tuple[float, float, float, float]


def _mark_box(mark: Mark, centre: Point, per_unit: float) -> Box:
    """The mark with its upright error bar."""
    bars = _paired_bars(mark)
    x, y = centre
    return x - 8, y - max(8, bars["arrayminus"][0] * per_unit), x + 8, y + max(8, bars["array"][0] * per_unit)


def _level_bar(mark: Mark, centre: Point, per_ms: float) -> Box:
    """The level error bar."""
    bars = errors([mark.latency])
    left, right = (0.0 if mark.far else bars[end][0] * per_ms for end in ("arrayminus", "array"))
    return centre[0] - left, centre[1] - 5, centre[0] + right, centre[1] + 5


def _label_box(label: str, centre: Point, way: tuple[int, int]) -> Box:
    wide = LETTER * len(label)
    x = centre[0] + way[0] * (wide / 2 + 9)
    y = centre[1] + way[1] * (LINE / 2 + 9)
    return x - wide / 2, y - LINE / 2, x + wide / 2, y + LINE / 2


def _shared(a: Box, b: Box) -> float:
    """Area in common."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _outside(box: Box) -> float:
    """How far the box sticks out of the plot, weighed so that any overlap inside is preferred."""
    beyond = max(0.0, -box[0]) + max(0.0, -box[1]) + max(0.0, box[2] - WIDTH) + max(0.0, box[3] - HEIGHT)
    return 100 * beyond
