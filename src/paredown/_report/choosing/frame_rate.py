"""Bars of the time of one frame, with a line at what the user's frame rate leaves."""

from __future__ import annotations

from typing import Any

from paredown._report.plots import Figure, axis, elided
from paredown.analyze.priorities import Priorities
from paredown.metrics import title_of

PARTS = (("pre_s", "--series-2"), ("latency_s", "--best"), ("post_s", "--series-4"))
MOST = 16


def figure(found: Priorities) -> Figure | None:
    """None where no frame rate was asked for, or nothing was timed."""
    named = [c.name for c in found.selection.ranked if c.name in found.rates][:MOST]
    if found.fps is None or not named:
        return None
    rates = [found.rates[name] for name in named]
    data: list[dict[str, Any]] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": title_of(part) if part != "latency_s" else "inference",
            "y": elided(named),
            "x": [1e3 * rate.parts.get(part, 0.0) for rate in rates],
            "marker": {"color": colour},
            "hovertemplate": "%{y}: %{x:.1f} ms<extra>%{fullData.name}</extra>",
        }
        for part, colour in PARTS
        if any(part in rate.parts for rate in rates)
    ]
    budget = 1e3 / found.fps
    most = max(1e3 * max(rate.frame_s for rate in rates), budget)
    layout = {
        "barmode": "stack",
        "xaxis": axis(f"ms for a frame; dashed: {found.fps:g} FPS", range=[0, 1.15 * most]),
        "yaxis": axis("", autorange="reversed", ticksuffix="  ", showgrid=False),
        "shapes": [
            {
                "type": "line", "x0": budget, "x1": budget, "y0": 0, "y1": 1, "yref": "paper",
                "line": {"color": "--bad", "width": 2, "dash": "dash"},
            }
        ],
        "showlegend": len(data) > 1,
        "bargap": 0.35,
    }  # fmt: skip
    kept = sum(rate.found == "keeps up" for rate in rates)
    parts = "preprocessing, inference and decoding one after the other"
    if not all(rate.whole for rate in rates):
        parts = "where it has one bar only, the inference alone, as the rest was not timed on the device"
    caption = (
        f"The time of one frame, measured or derived from that: {parts}. {kept} of {len(rates)} keep up with "
        f"{found.fps:g} frames per second; the dashed line is what that rate leaves."
    )
    return Figure("plot-frame-rate", data, layout, caption, height=130 + 34 * len(named))
