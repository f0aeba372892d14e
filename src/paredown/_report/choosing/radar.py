"""The radar: the leading candidates over the normalised objectives, the best end outside."""

from __future__ import annotations

from typing import Any

from paredown._report.plots import DASHES, SERIES, Figure, elided
from paredown.analyze.priorities import Priorities
from paredown.analyze.selection import title

MOST = 6  # more lines cannot be told apart


def leading(found: Priorities) -> list[int]:
    """Indices of the reference, the candidates of the guideline, and a float model, without doubles."""
    candidates = found.selection.candidates
    place = {c.name: i for i, c in enumerate(candidates)}
    named = [found.reference, *(a.candidate.name for a in found.advice)]
    named += [c.name for c in candidates if c.is_float][:1]
    return [place[name] for name in dict.fromkeys(named) if name in place][:MOST]


def figure(found: Priorities) -> Figure | None:
    """None with fewer than three objectives: two axes are no radar."""
    objectives = found.selection.objectives
    if len(objectives) < 3:
        return None
    axes = [title(name) for name in objectives]
    data: list[dict[str, Any]] = []
    for i, index in enumerate(leading(found)):
        values = [*found.selection.scaled[index]]
        colour = "--best" if i == 0 else SERIES[i % len(SERIES)]
        data.append(
            {
                "type": "scatterpolar",
                "mode": "lines+markers",
                "name": elided([found.selection.candidates[index].name])[0],
                "r": [*values, values[0]],
                "theta": [*axes, axes[0]],
                "line": {"color": colour, "dash": DASHES[i % len(DASHES)], "width": 2.6 if i == 0 else 1.6},
                "fill": "toself" if i == 0 else "none",
                "opacity": 0.9,
            }
        )
    layout = {
        "polar": {
            "bgcolor": "rgba(0,0,0,0)",
            "radialaxis": {"range": [0, 1], "tickvals": [0, 0.5, 1], "gridcolor": "--grid"},
            "angularaxis": {"gridcolor": "--grid", "linecolor": "--rule"},
        },
        "showlegend": True,
        "margin": {"l": 70, "r": 70, "t": 36, "b": 40},
        "legend": {"orientation": "h", "x": 0, "y": -0.12, "yanchor": "top"},
    }
    caption = (
        "The candidates of the guideline over all objectives, each from 0, the worst one, in the middle to "
        "1, the best, outside. Filled: " + found.selection.candidates[leading(found)[0]].name + "."
    )
    return Figure("plot-radar", data, layout, caption, height=440)
