"""The first screen: what to use and why, and the table of everything that was tried."""

from __future__ import annotations

from paredown._report import cells, evidence
from paredown._report.evidence import Row
from paredown._report.format import TIMES, look, mb, ms, points, shown, title_of
from paredown._report.html import Child, Html, nothing, section, tag
from paredown._report.story import Limits, Story
from paredown.measurement import Quantity, machine_name

MARKS = {"recommended": ("recommended", "best"), "float": ("float", "float"), "stock": ("stock", "stock")}


def summary(story: Story, rows: tuple[Row, ...]) -> Html:
    """The recommendation with its figures and reasons."""
    advice = story.advice
    chosen = next((r for r in rows if r.trial.recipe == advice.recipe), None)
    kicker = "Recommendation" if advice.gate_met else "The limits were not met"
    return tag(
        "section",
        tag(
            "div",
            tag("p", kicker, class_="kicker"),
            tag("h1", _headline(story, chosen, evidence.float_row(rows))),
            tag("div", _tiles(story, chosen, evidence.float_row(rows)), class_="tiles"),
            tag("ul", [tag("li", reason) for reason in advice.reasons], class_="why"),
            tag("ul", [tag("li", words) for words in _limits(story.limits, story.metric)], class_="chips"),
            class_="hero" if advice.gate_met else "hero missed",
        ),
        id="summary",
    )


def _headline(story: Story, chosen: Row | None, reference: Row | None) -> str:
    """ "Use int8: 2.0× faster, 3.6× smaller, 0.40 points lost" """
    if chosen is None:
        return "Nothing to recommend yet"
    if chosen is reference or reference is None:
        return "Keep the float model"
    parts = [
        _times(chosen, reference, "latency_s", ("faster", "slower")),
        _times(chosen, reference, "size_bytes", ("smaller", "larger")),
    ]
    lost = evidence.points_lost(chosen, story.metric, reference)
    if lost is not None:
        parts.append(f"{points(abs(lost.value))} {'lost' if lost.value >= 0 else 'gained'}")
    said = ", ".join(p for p in parts if p)
    return f"Use {chosen.label}: {said}" if said else f"Use {chosen.label}"


def _times(chosen: Row, reference: Row, name: str, words: tuple[str, str]) -> str:
    """ "2.0× faster"; for latency the ratio of the interleaved rounds where there is one.

    Where the interval of that ratio holds 1, or what float gets beside itself, nobody knows which is faster.
    """
    mine, theirs = chosen.get(name), reference.get(name)
    if mine is None or theirs is None or mine.value <= 0 or theirs.value <= 0:
        return ""
    ratio = mine.value / theirs.value
    paired = chosen.get("latency_ratio") if name == "latency_s" else None
    if paired is not None and paired.value > 0:
        ratio = paired.value
        low, high = _interval(paired)
        least, most = _interval(reference.get("latency_ratio"))
        if low <= max(most, 1) and high >= min(least, 1):
            return "about as fast"
    return f"{max(ratio, 1 / ratio):.1f}{TIMES} {words[0] if ratio <= 1 else words[1]}"


def _interval(ratio: Quantity | None) -> tuple[float, float]:
    """The ratio's ends: 1 where there is none, the ratio itself where it has no interval."""
    if ratio is None:
        return 1.0, 1.0
    return ratio.value if ratio.low is None else ratio.low, ratio.value if ratio.high is None else ratio.high


def _tiles(story: Story, chosen: Row | None, reference: Row | None) -> list[Html]:
    if chosen is None:
        return [nothing("No trial could be recommended, so there are no figures to show here.")]
    found = [_tile(name, chosen, reference) for name in ("latency_s", "size_bytes", "peak_memory_bytes")]
    lost = evidence.points_lost(chosen, story.metric, reference)
    return [t for t in (_accuracy_tile(story, chosen, reference, lost), *found) if t is not None]


def _tile(name: str, chosen: Row, reference: Row | None) -> Html | None:
    """Large: the value. Small: from what, and how many times smaller."""
    mine = chosen.get(name)
    theirs = None if reference is None else reference.get(name)
    if mine is None:
        return None
    note: str = mine.how
    beside = _beside(chosen) if name == "latency_s" else None
    if beside is not None and chosen is not reference:
        theirs = beside
    if theirs is not None and chosen is not reference and mine.value > 0 and theirs.value > 0:
        note = f"float {shown(theirs)}, {change(theirs.value / mine.value)}, {mine.how}"
    return _tile_box(title_of(name), shown(mine), note)


def change(less: float) -> str:
    """How many times less it became, in words."""
    factor = f"{max(less, 1 / less):.2f}"
    return "as much" if factor == "1.00" else f"{factor}{TIMES} {'less' if less > 1 else 'more'}"


def _beside(chosen: Row) -> Quantity | None:
    """The float model's latency by the interleaved ratio: timed apart, the two do not compare."""
    mine, ratio = chosen.get("latency_s"), chosen.get("latency_ratio")
    if mine is None or ratio is None or ratio.value <= 0:
        return None
    return Quantity("latency_s", mine.value / ratio.value, mine.unit, mine.better, mine.how)


def _accuracy_tile(story: Story, chosen: Row, reference: Row | None, lost: Quantity | None) -> Html | None:
    mine = chosen.get(story.metric)
    if mine is None:
        return None
    if lost is None or chosen is reference:
        return _tile_box(title_of(story.metric), shown(mine), mine.how)
    theirs = None if reference is None else reference.get(story.metric)
    before = f"float {shown(theirs)}, " if theirs is not None else ""
    word = "lost" if lost.value >= 0 else "gained"
    return _tile_box(
        title_of(story.metric), shown(mine), f"{before}{points(abs(lost.value))} {word}, {mine.how}"
    )


def _tile_box(name: str, value: str, note: str) -> Html:
    return tag(
        "div",
        tag("div", name, class_="name"),
        tag("div", value, class_="value"),
        tag("div", note, class_="from"),
        class_="tile",
    )


def _limits(limits: Limits, metric: str) -> list[str]:
    asked = []
    if limits.max_drop_points is not None:
        asked.append(f"limit: at most {points(limits.max_drop_points)} of {title_of(metric)} lost")
    if limits.max_latency_s is not None:
        asked.append(f"limit: at most {ms(limits.max_latency_s)}")
    if limits.max_size_bytes is not None:
        asked.append(f"limit: at most {mb(limits.max_size_bytes)}")
    return asked or ["no limits"]


def trials(story: Story, rows: tuple[Row, ...]) -> Html:
    """The table of trials."""
    if not rows:
        return section("trials", "Trials", nothing("No trial has been run yet."))
    reference = evidence.float_row(rows)
    columns = _columns(story, rows, reference)
    head = [tag("th", "recipe")]
    head += [tag("th", title, tag("small", unit) if unit else None, class_="n") for title, unit, _ in columns]
    body = [_line(row, columns) for row in rows]
    table = tag(
        "table", tag("thead", tag("tr", head, tag("th", "verdict"))), tag("tbody", body), class_="cards"
    )
    quantities = [q for _, _, found in columns for q in found.values()]
    searched = any(row.trial.origin == "search" for row in rows)
    machines = [machine_name(row.trial.measurement) for row in rows if row.trial.measurement is not None]
    lead = (
        f"Every figure is {evidence.unit_note(quantities) or 'missing'} on target "
        f"{machines[0] if machines else rows[0].trial.target}. "
        "Small figures are 95 % intervals; point at a figure to see what it was made of. "
        "“Stock” marks another tool's own defaults, shown for comparison"
        + (", “search” a recipe that the search proposed" if searched else "")
        + ". "
        "MB is 1,000,000 bytes; a point is 0.01 of the metric."
    )
    return section("trials", "Trials", tag("div", table, class_="scroll"), lead=lead)


Column = tuple[str, str, dict[int, Quantity]]  # title, unit, quantity by id of its row


def _columns(story: Story, rows: tuple[Row, ...], reference: Row | None) -> list[Column]:
    """One column for each quantity that at least one trial has."""
    drops = {
        id(r): q
        for r in rows
        if r is not reference and (q := evidence.points_lost(r, story.metric, reference)) is not None
    }
    columns: list[Column] = [("lost", "points", drops)] if drops else []
    names = (
        story.metric,
        "latency_s",
        "latency_ratio",
        "size_bytes",
        "packed_bytes",
        "peak_memory_bytes",
        "cpu_percent",
    )
    for name in names:
        found = {id(r): q for r in rows if (q := r.get(name)) is not None}
        if found:
            unit = look(next(iter(found.values()))).unit
            columns.append((title_of(name), unit, found))
    return columns


def _line(row: Row, columns: list[Column]) -> Html:
    words, style = MARKS.get(row.role, (None, ""))
    mark = tag("span", words, class_=f"mark {style}") if words else None
    name = row.trial.recipe if row.trial.recipe != row.label else None
    found = tag("span", "search", class_="mark search") if row.trial.origin == "search" else None
    first = tag(
        "td",
        tag("div", row.label, mark, found, class_="name"),
        tag("small", name) if name else None,
        class_="recipe",
    )
    if row.trial.error is not None:
        why = tag("td", f"failed: {row.trial.error}", colspan=str(len(columns) + 1), class_="failed")
        return tag("tr", first, why, class_="failed")
    values: list[Child] = []
    for title, unit, quantities in columns:
        label = f"{title}, {unit}" if unit else title
        values.append(tag("td", cells.value(quantities.get(id(row))), class_="n", data_label=label))
    verdict = tag("td", row.verdict, data_label="verdict")
    return tag("tr", first, values, verdict, class_=row.role)
