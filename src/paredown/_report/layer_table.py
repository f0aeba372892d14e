"""What was left float and why: one model's layers as a table that sorts, beside a drawing of its graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from paredown._report.evidence import Row
from paredown._report.format import DASH, count, number, percent, plural
from paredown._report.html import Child, Html, tag
from paredown._report.layer_rows import WORDS, Kind, LayerRow, layer_rows
from paredown._report.network import drawing
from paredown._report.story import NodeTimings, Story

MOST = 1500  # rows of a table: a page must open on a phone
HEAD = (  # title, what it is, class, kind of value
    ("#", "place in the graph", "n"),
    ("layer", "", ""),
    ("op", "", ""),
    ("bits", "W: of the weight, A: of what it reads", ""),
    ("ms here", "in this model; below, in the float model", "n"),
    ("MACs", "", "n"),
    ("sensitivity", "", "n"),
    ("why", "", ""),
)


def rows_of(story: Story, row: Row) -> tuple[LayerRow, ...]:
    """The layers of a trial's model; empty where its file could not be read."""
    found = story.layers.get(row.trial.key)
    if found is None:
        return ()
    times = story.node_times.models
    source, floats = story.layers.get("float"), times.get("float")
    return layer_rows(found, row.trial.log, source, times.get(row.trial.key), floats)


def block(story: Story, row: Row, layers: Sequence[LayerRow], *, drawn: bool) -> Html:
    """The summary in words, the drawing where asked for, the table, and where its figures are from."""
    name = f"layers-{row.trial.key}"
    table = _table(layers, name)
    graph = tag("div", _tools(), tag("div", drawing(layers), class_="pan"), class_="graph") if drawn else None
    return tag(
        "div",
        tag("p", summary(layers, _conversions_ms(story, row)), class_="lead"),
        _legend(layers) if drawn else None,
        tag("div", graph, tag("div", _filters(layers, name), table), class_="beside" if drawn else None),
        tag("p", _sources(layers, story.node_times), class_="lead notes"),
        class_="layers",
    )


def summary(layers: Sequence[LayerRow], conversions_ms: float | None = None) -> str:
    """ "37 of 242 layers compute in float: 0.1 % of the multiply-accumulates, 18 % of the time here." """
    real = [r for r in layers if r.kind != "index"]
    floats = [r for r in real if r.layer.arithmetic == "float"]
    parts = []
    if macs := sum(r.layer.macs for r in real):
        parts.append(f"{percent(sum(r.layer.macs for r in floats) / macs)} of the multiply-accumulates")
    if total := sum(r.ms for r in real if r.ms is not None) + (conversions_ms or 0.0):
        parts.append(f"{percent(sum(r.ms for r in floats if r.ms is not None) / total)} of the time here")
        if conversions_ms:
            parts.append(f"another {percent(conversions_ms / total)} goes into conversions between the two")
    words = f"{number(len(floats), 0)} of {plural(len(real), 'layer')} compute in float"
    return words + (f": {', '.join(parts)}." if parts and floats else ".")


def _conversions_ms(story: Story, row: Row) -> float | None:
    times, found = story.node_times.models.get(row.trial.key), story.layers.get(row.trial.key)
    if times is None or found is None:
        return None
    return 1e3 * sum(times.seconds.get(name, 0.0) for name in found.conversions)


def _legend(layers: Sequence[LayerRow]) -> Html:
    kinds: Counter[Kind] = Counter(r.kind for r in layers if r.kind != "index")
    return tag(
        "ul",
        [
            tag("li", tag("span", class_=f"swatch k-{kind}"), f"{WORDS[kind]} ({number(kinds[kind], 0)})")
            for kind in WORDS
            if kinds[kind]
        ],
        class_="legend",
    )


def _tools() -> Html:
    """Buttons of the drawing; they need the page's script."""
    named = (("minus", "\u2212", "smaller"), ("plus", "+", "larger"), ("fit", "fit", "whole width"))
    return tag(
        "div",
        [tag("button", sign, type="button", data_zoom=what, aria_label=words) for what, sign, words in named],
        class_="tools",
    )


def _filters(layers: Sequence[LayerRow], name: str) -> Html:
    """Which layers the table shows: what is float first, for that is the question here."""
    groups: dict[str, int] = {
        "float": sum(r.layer.arithmetic == "float" for r in layers),
        "integers": sum(r.layer.arithmetic == "integer" for r in layers),
        "all": len(layers),
    }
    first = "float" if groups["float"] else "all"
    return tag(
        "div",
        [
            tag(
                "button",
                f"{words} ({number(n, 0)})",
                type="button",
                data_show=words,
                data_table=name,
                aria_pressed="true" if words == first else "false",
            )
            for words, n in groups.items()
        ],
        class_="filters",
    )


def _table(layers: Sequence[LayerRow], name: str) -> Html:
    used = [c for c in range(len(HEAD)) if c not in _empty(layers)]
    head = [
        tag(
            "th",
            tag("button", HEAD[c][0], type="button"),
            class_=HEAD[c][2] or None,
            title=HEAD[c][1] or None,
            scope="col",
        )
        for c in used
    ]
    body = [
        tag(
            "tr",
            [cells[c] for c in used],
            class_=f"k-{r.kind}",
            data_place=str(r.place),
            data_kind=_shown(r),
        )
        for r in layers[:MOST]
        if (cells := _cells(r))
    ]
    words = f"The first {MOST} of {len(layers)} layers."
    cut = tag("p", words, class_="lead") if len(layers) > MOST else None
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", body), id=name, class_="sortable")
    return tag("div", tag("div", table, class_="scroll tall"), cut)


def _shown(row: LayerRow) -> str:
    return {"float": "float", "integer": "integers", "index": ""}[row.layer.arithmetic]


def _empty(layers: Sequence[LayerRow]) -> set[int]:
    """Columns without any value."""
    empty = {4: all(r.ms is None for r in layers), 6: all(r.sensitivity is None for r in layers)}
    return {column for column, none in empty.items() if none}


def _cells(row: LayerRow) -> list[Html]:
    return [
        _number(float(row.place), str(row.place)),
        tag("td", tag("code", row.layer.name), class_="where"),
        tag("td", row.layer.op),
        tag("td", tag("span", row.layer.bits, class_=f"bits k-{row.kind}")),
        _number(row.ms, "" if row.ms is None else number(row.ms, 3), _beside(row)),
        _number(float(row.layer.macs) or None, count(row.layer.macs)),
        _number(row.sensitivity, "" if row.sensitivity is None else percent(row.sensitivity)),
        tag("td", row.why, class_="why"),
    ]


def _beside(row: LayerRow) -> Html | None:
    return None if row.float_ms is None else tag("small", f"float {number(row.float_ms, 3)}")


def _number(value: float | None, words: str, below: Html | None = None) -> Html:
    if value is None:
        return tag("td", DASH, below, class_="n")
    return tag("td", words, below, class_="n", data_v=f"{value:.9g}")


def _sources(layers: Sequence[LayerRow], timings: NodeTimings) -> list[Child]:
    """What the columns mean and where they come from, or why they are missing."""
    said = []
    if any(r.ms is not None for r in layers):
        where = timings.environment.get("cpu") or "this machine"
        whose = timings.environment.get("runtime") or "the runtime"
        said.append(
            f"ms: measured by {whose}\u2019s own profiler on {where}, the least of several runs; a fused "
            "kernel counts for one of its layers, so its neighbours show none."
        )
    else:
        why = timings.why if not timings.models else "only the float and the recommended model were timed"
        said.append(f"No times of single layers: {why}.")
    said.append("MACs: multiply-accumulates for one image, counted.")
    if any(r.sensitivity is not None for r in layers):
        said.append(
            "Sensitivity, simulated: noise at the model\u2019s outputs, as a part of their signal, that 8 "
            "bits in this layer alone cause; a recipe may keep the largest hundred only."
        )
    else:
        said.append("This recipe measures no sensitivity of single layers.")
    return [" ".join(said)]
