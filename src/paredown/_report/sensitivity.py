"""Layer against damage and cost, where a recipe chose layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from paredown._report.evidence import Row
from paredown._report.plots import Figure, axis
from paredown.measurement import StepRecord

CHOICES = {  # what a layer was made: colour, symbol
    "W8A8": ("--series-1", "circle"),
    "W4A8": ("--series-3", "diamond"),
    "W8": ("--series-6", "square"),
    "float": ("--series-5", "square-open"),
}
LEAST = 1e-6  # damage below which a layer is drawn at the foot of the scale
CAPTION = (
    "Every layer of {label} in the order of the network. Above, simulated: the noise at the heads, as a part "
    "of the signal, that its activations in 8 bits cause alone, and its weight in 4 bits (triangles). Below, "
    "measured by the runtime's own profile: its time in float (outline) and in integers (filled). Colours "
    "say what was chosen: noisy layers that cost little in float are left float first."
)


def figure(row: Row, anchor: str) -> Figure | None:
    """The plot of one model; None where its log holds no figures of layers."""
    layers = [r for r in row.trial.log if "choice" in r.data and "damage" in r.data]
    if not layers:
        return None
    timed = all("float_ms" in r.data and "int8_ms" in r.data for r in layers)
    place = {r.where: i for i, r in enumerate(layers, start=1)}
    data = [_four_bits(layers, place)]
    for choice, (colour, symbol) in CHOICES.items():
        chosen = [r for r in layers if r.data["choice"] == choice]
        if chosen:
            data.append(_damage(chosen, place, choice, colour, symbol))
            data += _times(chosen, place, colour) if timed else []
    layout: dict[str, Any] = {
        "xaxis": axis("layer, in the order of the network", range=[0, len(layers) + 1], anchor="y2"),
        "yaxis": axis(
            "noise at the heads", type="log", dtick=1, tickformat=".0e", domain=[0.46 if timed else 0.0, 1]
        ),
        "showlegend": True,
        "barmode": "overlay",
    }
    if timed:
        layout["yaxis2"] = axis("ms", domain=[0, 0.36], rangemode="tozero", anchor="x")
    else:
        layout["xaxis"]["anchor"] = "y"
    return Figure(anchor, data, layout, CAPTION.format(label=row.label), height=520 if timed else 360)


def _damage(
    layers: Sequence[StepRecord], place: Mapping[str, int], choice: str, colour: str, symbol: str
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{choice} ({len(layers)})",
        "x": [place[r.where] for r in layers],
        "y": [max(_number(r, "damage"), LEAST) for r in layers],
        "marker": {"color": colour, "symbol": symbol, "size": 9, "line": {"width": 1.5, "color": colour}},
        "text": [_hover(r) for r in layers],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _four_bits(layers: Sequence[StepRecord], place: Mapping[str, int]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "weight in 4 bits",
        "x": [place[r.where] for r in layers],
        "y": [max(_number(r, "damage_w4"), LEAST) for r in layers],
        "marker": {"color": "--muted", "symbol": "triangle-up", "size": 5},
        "text": [_hover(r) for r in layers],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _times(layers: Sequence[StepRecord], place: Mapping[str, int], colour: str) -> list[dict[str, Any]]:
    """Two bars for each layer, one over the other: float an outline, integers filled."""
    looks = {
        "int8_ms": {"color": colour, "opacity": 0.75},
        "float_ms": {"color": "rgba(0,0,0,0)", "line": {"width": 1.2, "color": colour}},
    }
    return [
        {
            "type": "bar",
            "x": [place[r.where] for r in layers],
            "y": [_number(r, key) for r in layers],
            "yaxis": "y2",
            "width": 0.75,  # of a layer's place; left to itself a bar fills the gap to the next of its choice
            "marker": look,
            "showlegend": False,
            "text": [_hover(r) for r in layers],
            "textposition": "none",
            "hovertemplate": "%{text}<extra></extra>",
        }
        for key, look in looks.items()
    ]


def _hover(record: StepRecord) -> str:
    n = {name: _number(record, name) for name in ("damage", "damage_w8", "damage_w4", "float_ms", "int8_ms")}
    parts = [
        escape(record.where),
        f"{record.data['choice']}, {record.data.get('op', 'layer')}",
        f"noise of its activations {n['damage']:.3%}",
        f"of its weight in 8 bits {n['damage_w8']:.3%}, in 4 bits {n['damage_w4']:.2%}",
    ]
    if "float_ms" in record.data:
        parts.append(f"{n['float_ms']:.3f} ms in float, {n['int8_ms']:.3f} ms in integers")
    return "<br>".join(parts)


def _number(record: StepRecord, name: str) -> float:
    value = record.data.get(name, 0.0)
    return float(value) if isinstance(value, int | float) else 0.0
