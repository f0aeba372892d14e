"""The figures over all models: front, triangle, and bars of what was measured of the leading candidates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from typing import Any

from paredown._report import plots
from paredown._report.choosing import radar
from paredown._report.evidence import Row
from paredown._report.format import look, shown_whole
from paredown._report.html import Child, Html, nothing, section, tag
from paredown._report.plots import SERIES, Figure, axis, scaled
from paredown._report.several.stories import Stories, part_of
from paredown.analyze.pareto import pareto_front
from paredown.analyze.priorities import Priorities
from paredown.analyze.selection import ACCURACY, Candidate, title
from paredown.metrics import kind_of, title_of
from paredown.quantities import QUANTITIES, QuantityKind

LEADING = 20  # candidates in bars: more cannot be read
BARS = ("latency_s", "size_bytes", "peak_memory_bytes", "loaded_power_w", "energy_j", "accuracy_per_j",
        "accuracy_per_mb")  # fmt: skip
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "pentagon")


def figures(stories: Stories, found: Priorities, rows: tuple[Row, ...]) -> Html:
    """The section; the front takes the whole width, the others stand in two columns."""
    front = front_figure(stories, found)
    if front is None:
        words = "Fewer than two candidates have both accuracy and latency, so there is no trade-off to draw."
        return section("figures", "Trade-off over all models", nothing(words))
    leading = _leading(found, rows)
    drawn = [triangle(found), *(plots.bars(leading, kind) for kind in _kinds(stories.metric))]
    others: list[Child] = [plots.draw(f) for f in drawn if f is not None]
    return section(
        "figures", "Trade-off over all models", plots.draw(front), tag("div", others, class_="two")
    )


def _kinds(metric: str) -> list[QuantityKind]:
    """What has bars: the metric that judges first."""
    accuracy = replace(kind_of(metric), caption=f"{title_of(metric)}, {{how}}. Bars are 95 % intervals.")
    power = replace(QUANTITIES["loaded_power_w"], caption="Power while the model runs, {how}.")
    return [accuracy, *(power if name == power.name else QUANTITIES[name] for name in BARS)]


def _leading(found: Priorities, rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The front, the float models and the guideline's candidates, in the order of the ranking."""
    selection = found.selection
    named = {selection.candidates[i].name for i in (*selection.front, *radar.leading(found))}
    wanted = [r for r in rows if r.label in named or r.is_float]
    return tuple(wanted[:LEADING])


def front_figure(stories: Stories, found: Priorities) -> Figure | None:
    """Accuracy against latency of every candidate, a colour and mark for each model, with the front."""
    able = [c for c in found.selection.candidates if c.get("latency_s") is not None]
    if len(able) < 2:
        return None
    points = [(_x(c), _y(c)) for c in able]
    front = sorted(pareto_front(points, ("lower", "higher")), key=lambda i: points[i][0])
    line = {
        "type": "scatter", "mode": "lines", "name": "Pareto front", "x": [points[i][0] for i in front],
        "y": [points[i][1] for i in front], "line": {"width": 2, "dash": "dot", "color": "--front"},
        "hoverinfo": "skip",
    }  # fmt: skip
    labelled = {able[i].name for i in _far_apart(front, points, log=_wide(points))}
    groups: dict[str, list[Candidate]] = {}
    for candidate in able:
        groups.setdefault(part_of(stories, candidate), []).append(candidate)
    looks = zip(cycle(SERIES), cycle(SYMBOLS), strict=False)
    data = [
        line,
        *(_group(name, of, labelled, *look) for (name, of), look in zip(groups.items(), looks, strict=False)),
    ]
    layout = {
        "xaxis": axis(
            "latency, ms (each model's float, times the ratio)", type="log" if _wide(points) else "linear"
        ),
        "yaxis": axis(_accuracy_title(stories.metric, able)),
        "showlegend": True,
    }
    caption = (
        "Every candidate: up and to the left is better. Latency is that of the model's own float model, "
        "times the ratio of the rounds both were timed in. The dotted line joins those that none beats in "
        "both; they have names where there is room, the others tell theirs when pointed at. Large: the float "
        "models."
    )
    return Figure("plot-front", data, layout, caption, height=480)


def _far_apart(chosen: Sequence[int], points: Sequence[tuple[float, float]], *, log: bool) -> list[int]:
    """Those of the chosen points whose names would not hide that of one before."""
    seen = [(math.log(x) if log else x, y) for x, y in points]
    spans = [(max(axis) - min(axis)) or 1.0 for axis in zip(*seen, strict=True)]
    found: list[int] = []
    for i in chosen:
        gaps = (
            [abs(a - b) / span for a, b, span in zip(seen[i], seen[j], spans, strict=True)] for j in found
        )
        if not any(x < 2 * APART and y < APART / 2 for x, y in gaps):
            found.append(i)
    return found


def _group(
    name: str, of: Sequence[Candidate], labelled: set[str], colour: str, symbol: str
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": name,
        "meta": "group",
        "x": [_x(c) for c in of],
        "y": [_y(c) for c in of],
        "text": plots.elided([c.trial.label if c.name in labelled else "" for c in of]),
        "textposition": "top center",
        "textfont": {"size": 11},
        "cliponaxis": False,
        "marker": {"symbol": symbol, "color": colour, "size": [14 if c.is_float else 9 for c in of],
                   "line": {"width": 1, "color": "--page"}},
        "customdata": [_words(c) for c in of],
        "hovertemplate": "%{customdata}<extra></extra>",
    }  # fmt: skip


def _words(candidate: Candidate) -> str:
    found = [q for name in (ACCURACY, "latency_s", "size_bytes") if (q := candidate.get(name)) is not None]
    return f"{candidate.name}<br>{', '.join(shown_whole(q) for q in found)}"


def _accuracy_title(metric: str, of: Sequence[Candidate]) -> str:
    """ "mAP50-95"; "agreement with the float model, %"."""
    example = of[0].get(ACCURACY)
    unit = "" if example is None else look(example).shown
    return f"{title_of(metric)}, {unit}" if unit else title_of(metric)


def _x(candidate: Candidate) -> float:
    latency = candidate.get("latency_s")
    return float("nan") if latency is None else scaled(latency)


def _y(candidate: Candidate) -> float:
    accuracy = candidate.get(ACCURACY)
    return float("nan") if accuracy is None else scaled(accuracy)


def _wide(points: Sequence[tuple[float, float]]) -> bool:
    """Whether latencies lie so far apart that a linear axis would press the fast ones together."""
    xs = [x for x, _ in points if x > 0]
    return len(xs) == len(points) and max(xs) > 12 * min(xs)


def triangle(found: Priorities) -> Figure | None:
    """The trade-off triangle: in which of accuracy, latency and size a candidate is strong."""
    wanted = (ACCURACY, "latency_s", "size_bytes")
    objectives = found.selection.objectives
    if any(name not in objectives for name in wanted):
        return None
    places = [objectives.index(name) for name in wanted]
    chosen = list(dict.fromkeys((*radar.leading(found), *found.selection.front)))[:LEADING]
    values = [[max(found.selection.scaled[i][p], 0.02) for p in places] for i in chosen]
    candidates = [found.selection.candidates[i] for i in chosen]
    trace = {
        "type": "scatterternary",
        "mode": "markers+text",
        "meta": "few",
        "a": [v[0] for v in values],
        "b": [v[1] for v in values],
        "c": [v[2] for v in values],
        "text": _names(candidates, values, len(radar.leading(found))),
        "textposition": ["middle right" if v[0] > 0.8 * sum(v) else "top center" for v in values],
        "textfont": {"size": 11},
        "customdata": [_words(c) for c in candidates],
        "hovertemplate": "%{customdata}<extra></extra>",
        "marker": {
            "size": [8 + 16 * sum(v) / 3 for v in values],
            "color": ["--best" if c.name == found.reference else "--float" if c.is_float else "--plain"
                      for c in candidates],
            "line": {"width": 1, "color": "--page"},
        },
        "cliponaxis": False,
    }  # fmt: skip
    layout = {
        "ternary": {
            "sum": 1, "bgcolor": "rgba(0,0,0,0)",
            **{f"{letter}axis": {"title": {"text": title(name)}, "tickvals": [0.25, 0.5, 0.75],
                                 "showticklabels": False, "gridcolor": "--grid", "linecolor": "--rule"}
               for letter, name in zip("abc", wanted, strict=True)},
        },
        "showlegend": False,
        "margin": {"l": 70, "r": 70, "t": 50, "b": 50},
    }  # fmt: skip
    caption = (
        "The trade-off triangle: near a corner, a candidate is strong in that alone; in the middle, in all "
        "three alike. The larger the mark, the better in all together. Each from 0, the worst, to 1."
    )
    return Figure("plot-triangle", [trace], layout, caption, height=440)


APART = 0.09  # of the side of a plot: names of marks that are nearer would hide each other


def _names(candidates: Sequence[Candidate], values: Sequence[Sequence[float]], most: int) -> list[str]:
    """The name of each of the first `most`, "" where a mark that has one is near."""
    taken: list[tuple[float, float]] = []
    names = []
    for i, (candidate, (a, b, c)) in enumerate(zip(candidates, values, strict=True)):
        place = ((c + a / 2) / (a + b + c), a / (a + b + c))
        near = any(abs(place[0] - x) < 3 * APART and abs(place[1] - y) < APART for x, y in taken)
        named = i < most and not near
        names.append(plots.elided([candidate.name])[0] if named else "")
        taken += [place] if named else []
    return names
