"""What a model does over minutes, beside neighbours and by threads, as sections of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paredown._report import plots
from paredown._report.format import DASH, fps, interval, ms, number, percent, shown, shown_whole
from paredown._report.html import Child, Html, bullets, facts, section, tag
from paredown._report.plots import SERIES, Figure, axis
from paredown.endurance import Endurance, Footprint, Interference, Sustained, ThreadsCurve, Variant
from paredown.measurement import Quantity
from paredown.metrics import title_of

Series = tuple[str, Sequence[float], Sequence[float]]  # name, x, y


def sections(found: Endurance, anchor: str = "", name: str = "") -> list[Html]:
    """One section for each thing that was looked at. anchor: keeps those of several apart; name: says
    whose."""
    whose = f"{name} on {found.machine}, {found.made_on}"
    parts: list[Html] = [section(f"minutes{anchor}", f"Minutes: {name}", tag("p", whose))] if name else []
    if found.sustained is not None:
        parts.append(_sustained(found.sustained, anchor))
    parts += [_interference(each, anchor) for each in found.interference]
    if found.threads is not None:
        parts.append(_threads(found.threads, anchor))
    if found.footprint is not None:
        parts.append(_footprint(found.footprint, anchor))
    return parts


def clock(seconds: float) -> str:
    """ "3:20" """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _length(seconds: float) -> str:
    """ "10 minutes", "30 seconds" """
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:g} minutes" if seconds % 60 == 0 else f"{clock(seconds)} minutes"


def _sustained(found: Sustained, anchor: str) -> Html:
    state = found.throttled
    began = "" if state.began_s is None else f", from {clock(state.began_s)} on"
    told: list[tuple[str, Child]] = [
        ("throttling", f"{state.words}{began}"),
        ("looked at", ", ".join(state.looked_at)),
        ("not shown by this machine", ", ".join(state.hidden) or "nothing"),
        ("power", found.power_of),
    ]
    return section(
        f"sustained{anchor}",
        f"Without a pause for {_length(found.seconds)}",
        facts(told),
        _table(("", "value", "95 % interval", "how"), [_row(q) for q in found.quantities]),
        tag("div", [plots.draw(figure) for figure in _over_time(found, anchor)], class_="two"),
        bullets(str(doubt) for doubt in found.doubts) if found.doubts else None,
        lead="The model ran without a pause, from cold. Cold is the first sixth of the time, at most ten "
        "seconds; hot is the last third. What holds is the rate of the slowest stretch of ten seconds.",
    )


def _over_time(found: Sustained, anchor: str) -> list[Figure]:
    t, states = found.time_s, found.state_time_s
    latency: list[Series] = [
        ("median of a turn", t, [1e3 * s for s in found.latency_s]),
        ("90th percentile", t, [1e3 * s for s in found.latency_p90_s]),
    ]
    wanted: list[tuple[str, str, list[Series], str]] = [
        ("latency", "latency, ms", latency, "Latency in turns of half a second, measured."),
        ("rate", "inferences a second", [("rate", t, found.rate)], "Inferences a second, measured."),
        ("clock", "clock rate, MHz", [("clock", states, found.clock_mhz)], "Clock rate, mean of the cores."),
        (
            "heat",
            "temperature, \u00b0C",
            [("hottest", states, found.temperature_c)],
            "The hottest place shown.",
        ),
        ("power", "power, W", [("power", found.power_time_s, found.power_w)], f"Power of {found.power_of}."),
        (
            "memory",
            "resident memory, MB",
            [("memory", states, [b / 1e6 for b in found.memory_bytes])],
            "Resident memory of the process, measured.",
        ),
    ]
    began = found.throttled.began_s
    return [
        _lines(f"plot-sustained-{name}{anchor}", title, series, caption, began)
        for name, title, series, caption in wanted
        if series[0][2]
    ]


def _lines(anchor: str, title: str, series: Sequence[Series], caption: str, began_s: float | None) -> Figure:
    """Lines over the time; an upright one where throttling began."""
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": list(x),
            "y": list(y),
            "line": {"color": SERIES[i], "width": 1.6},
        }
        for i, (name, x, y) in enumerate(series)
    ]
    layout: dict[str, Any] = {
        "xaxis": axis("time, s"),
        "yaxis": axis(title, rangemode="tozero"),
        "showlegend": len(series) > 1,
    }
    if began_s is not None:
        ends = {"x0": began_s, "x1": began_s, "yref": "paper", "y0": 0, "y1": 1}
        layout["shapes"] = [{"type": "line", **ends, "line": {"dash": "dot", "color": "--muted"}}]
        caption += " The dotted line is where throttling began."
    return Figure(anchor, data, layout, caption, height=300)


def _interference(found: Interference, anchor: str) -> Html:
    helped = (
        "; ".join(f"{v.name} ({v.gains})" for v in found.variants if v.gains) or "nothing by more than chance"
    )
    head = ("", "alone", "beside it", "95th percentile alone", "beside it", "against as it is", "its 95th")
    return section(
        f"beside-{found.kind}{anchor}",
        f"Beside a neighbour: {found.kind}",
        _table(head, [_variant(v) for v in found.variants]),
        tag("p", f"What helped: {helped}."),
        lead=f"{found.did[:1].upper()}{found.did[1:]}. Each way to run it took turns alone and beside it; "
        "the last two columns compare it, beside the neighbour, with the model as it is there: below 1 is "
        "better.",
    )


def _variant(found: Variant) -> list[Child]:
    if found.refused:
        return [found.name, f"not tried: {found.refused}", *[""] * 5]
    times = (found.alone, found.beside, found.alone_p95, found.beside_p95)
    changes = (found.change, found.change_p95)
    name = tag("strong", f"{found.name}: helped") if found.gains else found.name
    return [
        name,
        *("" if q is None else shown(q) for q in times),
        *(DASH if q is None else _with_interval(q) for q in changes),
    ]


def _threads(found: ThreadsCurve, anchor: str) -> Html:
    first = found.latency[0].value
    rows: list[list[Child]] = []
    for n, latency, cpu_s in zip(found.threads, found.latency, found.cpu_s, strict=True):
        speedup = first / latency.value
        name: Child = tag("strong", f"{n}, efficient") if n == found.efficient else str(n)
        cells = [shown_whole(latency), f"{speedup:.2f}", percent(speedup / n), ms(cpu_s).partition(" (")[0]]
        rows.append([name, *cells])
    curve = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": list(found.threads),
        "y": [1e3 * q.value for q in found.latency],
        "error_y": plots.errors(found.latency),
        "line": {"color": SERIES[0]},
        "marker": {"size": [15 if n == found.efficient else 8 for n in found.threads]},
    }
    layout = {
        "xaxis": axis("threads", dtick=1),
        "yaxis": axis("latency, ms", rangemode="tozero"),
        "showlegend": False,
    }
    caption = (
        "Latency by threads, measured in turns, with 95 % intervals; the large mark is the efficient one."
    )
    return section(
        f"threads{anchor}",
        "Threads",
        plots.draw(Figure(f"plot-threads{anchor}", [curve], layout, caption, height=320)),
        _table(("threads", "latency", "speedup", "efficiency", "processor time of one"), rows),
        lead=f"The efficient number is {found.efficient}, with the most speedup \u00d7 efficiency (Eager, "
        "Zahorjan, Lazowska 1989). More threads take more processor time and energy for little.",
    )


def _footprint(found: Footprint, anchor: str) -> Html:
    cold = f"Cold: {found.cold}." if found.cold else f"No cold load time: {found.not_cold}."
    return section(
        f"footprint{anchor}",
        "What the process needs",
        _table(("", "value", "95 % interval", "how"), [_row(q) for q in found.quantities]),
        lead=f"{cold} Peak memory is that of a process with runtime and model alone; that of the pipeline "
        "has decoding of the image, preprocessing and reading of the answer in it.",
    )


def _row(quantity: Quantity) -> list[Child]:
    rate = fps(quantity.value) if quantity.unit == "s" and "latency" in quantity.name else ""
    value = f"{shown(quantity)}, {rate}" if rate else shown(quantity)
    return [title_of(quantity.name), value, interval(quantity), quantity.how]


def _with_interval(quantity: Quantity) -> Html:
    ends = interval(quantity)
    return tag("span", number(quantity.value, 2), tag("small", f" ({ends})") if ends else None)


def _table(head: Sequence[str], rows: Sequence[Sequence[Child]]) -> Html:
    top = tag("thead", tag("tr", [tag("th", name, class_="n" if i else None) for i, name in enumerate(head)]))
    body = [
        tag(
            "tr",
            [tag("td", c, class_="n" if i else None, data_label=head[i] or None) for i, c in enumerate(row)],
        )
        for row in rows
    ]
    return tag("div", tag("table", top, tag("tbody", body), class_="cards"), class_="scroll")
