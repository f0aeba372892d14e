"""The first screen: what to use and why, and the table of everything that was tried."""

from __future__ import annotations

from paredown._report import cells, evidence
from paredown._report.evidence import Row
from paredown._report.format import TIMES, fps, look, shown
from paredown._report.html import Child, Html, nothing, section, tag
from paredown._report.story import Story
from paredown.agreement import is_agreement
from paredown.analyze.against_float import speed_of
from paredown.measurement import Quantity, machine_name
from paredown.metrics import title_of
from paredown.quantities import QUANTITIES
from paredown.study.words import asked, headline, points_phrase

MARKS = {"recommended": ("recommended", "best"), "float": ("float", "float"), "stock": ("stock", "stock")}


def summary(story: Story, rows: tuple[Row, ...]) -> Html:
    """The recommendation with its figures and reasons."""
    verdict = story.verdict
    met = verdict is None or verdict.gate_met
    limits = asked(story.metric, story.limits)
    reasons = ("The float model has not been measured yet.",) if verdict is None else verdict.reasons
    chosen = next((r for r in rows if r.trial.key == story.best), None)
    kicker = "Recommendation" if met else "The limits were not met"
    return tag(
        "section",
        tag(
            "div",
            tag("p", kicker, class_="kicker"),
            tag("h1", _headline(chosen, evidence.float_row(rows))),
            tag("div", _tiles(story, chosen, evidence.float_row(rows)), class_="tiles"),
            tag("ul", [tag("li", reason) for reason in reasons], class_="why"),
            tag("ul", [tag("li", f"limit: {each}") for each in limits], class_="chips"),
            class_="hero" if met else "hero missed",
        ),
        id="summary",
    )


def _headline(chosen: Row | None, reference: Row | None) -> str:
    """ "Use int8: 2.0× faster, 3.6× smaller, 0.40 points lost" """
    if chosen is None:
        return "Nothing to recommend yet"
    if chosen is reference or reference is None:
        return "Keep the float model"
    return headline(chosen.trial, reference.trial)


def _tiles(story: Story, chosen: Row | None, reference: Row | None) -> list[Html]:
    if chosen is None:
        return [nothing("No trial could be recommended, so there are no figures to show here.")]
    found = [_tile(k.name, chosen, reference) for k in QUANTITIES.values() if "tile" in k.places]
    return [t for t in (_accuracy_tile(story, chosen, reference), *found) if t is not None]


def _tile(name: str, chosen: Row, reference: Row | None) -> Html | None:
    """Large: the value. Small: from what, and how many times smaller."""
    mine = chosen.get(name)
    theirs = None if reference is None else reference.get(name)
    if mine is None:
        return None
    note: str = mine.how
    if theirs is not None and chosen is not reference and mine.value > 0 and theirs.value > 0:
        note = f"float {shown(theirs)}, {change(theirs.value / mine.value)}, {mine.how}"
        if name == "latency_s" and reference is not None:
            note = f"{_timed(chosen, reference)}; rescaled to float's {shown(theirs)}"
    if name == "latency_s":
        note = f"{fps(mine.value)}; {note}"
    return _tile_box(title_of(name), shown(mine), note)


def _timed(chosen: Row, reference: Row) -> str:
    """What the rounds say: "1.11× less, as timed 348.0 ms beside float's 387.0 ms"."""
    mine, beside = chosen.timed("latency_s"), chosen.timed("float_latency_s")
    speed = speed_of(chosen.trial, reference.trial)
    kept = " (float beside it not kept)" if beside is None else f" beside float's {shown(beside)}"
    as_timed = "" if mine is None else f"as timed {shown(mine)}{kept}"
    if speed is None:
        return as_timed
    said = change(1 / speed.ratio.value) if speed.known else "not told apart from float"
    return f"{said}, {as_timed}"


def change(less: float) -> str:
    """How many times less it became, in words."""
    factor = f"{max(less, 1 / less):.2f}"
    return "as much" if factor == "1.00" else f"{factor}{TIMES} {'less' if less > 1 else 'more'}"


def _accuracy_tile(story: Story, chosen: Row, reference: Row | None) -> Html | None:
    mine, lost = chosen.get(story.metric), evidence.points_lost(chosen)
    if mine is None:
        return None
    if lost is None or chosen is reference:
        return _tile_box(title_of(story.metric), shown(mine), mine.how)
    if is_agreement(story.metric):
        note = f"of the float model's own answers, {mine.how}; there is no truth"
        return _tile_box(title_of(story.metric), shown(mine), note)
    theirs = None if reference is None else reference.get(story.metric)
    before = f"float {shown(theirs)}, " if theirs is not None else ""
    return _tile_box(title_of(story.metric), shown(mine), f"{before}{points_phrase(lost.value)}, {mine.how}")


def _tile_box(name: str, value: str, note: str) -> Html:
    return tag(
        "div",
        tag("div", name, class_="name"),
        tag("div", value, class_="value"),
        tag("div", note, class_="from"),
        class_="tile",
    )


def trials(story: Story, rows: tuple[Row, ...]) -> Html:
    """The table of trials."""
    if not rows:
        return section("trials", "Trials", nothing("No trial has been run yet."))
    columns = _columns(story, rows)
    several = len({row.trial.runtime for row in rows}) > 1
    head = [tag("th", "recipe"), tag("th", "runtime") if several else None, tag("th", "verdict")]
    head += [tag("th", title, tag("small", unit) if unit else None, class_="n") for title, unit, _ in columns]
    body = [_line(row, columns, several) for row in rows]
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", body), class_="cards")
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
        "MB is 1,000,000 bytes; a point is 0.01 of the metric. " + _latency_note(rows)
    )
    return section("trials", "Trials", tag("div", table, class_="scroll wide"), lead=lead)


def _latency_note(rows: tuple[Row, ...]) -> str:
    """Why there are two latencies."""
    row = evidence.float_row(rows)
    floats = None if row is None else row.get("latency_s")
    if floats is None:
        return ""
    kept = any(r.timed("float_latency_s") is not None for r in rows)
    beside = (
        "" if kept else " The float latency beside each was not kept by the version that made this study."
    )
    return (
        "A machine is not always as fast, so each model is timed in turns with float: latency is that ratio "
        f"times float's own {shown(floats)}, as timed is what the clock read.{beside}"
    )


Column = tuple[str, str, dict[int, Quantity]]  # title, unit, quantity by id of its row


def _columns(story: Story, rows: tuple[Row, ...]) -> list[Column]:
    """One column for each quantity that at least one trial has."""
    agreement = is_agreement(story.metric)  # is itself what is lost
    drops = {id(r): q for r in rows if not agreement and (q := evidence.points_lost(r)) is not None}
    columns: list[Column] = [("lost", "points", drops)] if drops else []
    names = (story.metric, *(k.name for k in QUANTITIES.values() if "trials" in k.places))
    for name in names:
        found = {id(r): q for r in rows if (q := r.get(name)) is not None}
        if found:
            unit = look(next(iter(found.values()))).shown
            columns.append((title_of(name), unit, found))
        if name == "latency_s" and found:
            columns += _as_timed(rows)
    return columns


def _as_timed(rows: tuple[Row, ...]) -> list[Column]:
    """The milliseconds that were read: the model's, and those of float in the same rounds.

    Float beside itself says how steady the machine was (the doubts tell it), not how fast float is.
    """
    titles = {"latency_s": "as timed", "float_latency_s": "float beside it"}
    found = {name: {id(r): q for r in rows if (q := r.timed(name)) is not None} for name in titles}
    found["float_latency_s"].pop(id(evidence.float_row(rows)), None)
    return [(titles[name], "ms", quantities) for name, quantities in found.items() if quantities]


def _line(row: Row, columns: list[Column], several: bool) -> Html:
    """several: whether the runtime has a column of its own."""
    words, style = MARKS.get(row.role, (None, ""))
    mark = tag("span", words, class_=f"mark {style}") if words else None
    name = row.trial.recipe if row.trial.recipe != row.trial.short else None
    runtime = tag("td", row.trial.runtime, data_label="runtime") if several else None
    found = tag("span", "search", class_="mark search") if row.trial.origin == "search" else None
    first = tag(
        "td",
        tag("div", row.trial.short if several else row.label, mark, found, class_="name"),
        tag("small", name) if name else None,
        class_="recipe",
    )
    if row.trial.error is not None:
        why = tag("td", f"failed: {row.trial.error}", colspan=str(len(columns) + 1), class_="failed")
        return tag("tr", first, runtime, why, class_="failed")
    values: list[Child] = []
    for title, unit, quantities in columns:
        label = f"{title}, {unit}" if unit else title
        values.append(tag("td", cells.value(quantities.get(id(row))), class_="n", data_label=label))
    verdict = tag("td", row.verdict, data_label="verdict")
    return tag("tr", first, runtime, verdict, values, class_=row.role)
