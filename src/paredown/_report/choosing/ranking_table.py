"""The ranking: each candidate's score, how often it wins whatever the weights, what it loses to the best."""

from __future__ import annotations

from collections.abc import Callable

from paredown._report import cells
from paredown._report.format import DASH, look, number, percent
from paredown._report.html import Child, Html, join, tag
from paredown.agreement import is_agreement
from paredown.analyze.pairs import Beside
from paredown.analyze.priorities import Priorities
from paredown.analyze.selection import ACCURACY, Candidate, title
from paredown.measurement import Quantity
from paredown.metrics import title_of

SHOWN = 14  # lines of a table that does not scroll by itself
SAME, DIFFERENT = "\u2248", "\u2260"


def ranking_table(found: Priorities, metric: str, link: Callable[[str], Html | str] = str) -> Html:
    """The table, sortable; a long one scrolls by itself."""
    ranked = found.selection.ranked
    head = _head(found, metric)
    lines = [_line(found, place, candidate, link) for place, candidate in enumerate(ranked)]
    table = tag(
        "table", tag("thead", tag("tr", head)), tag("tbody", lines), class_="cards sortable", id="ranking"
    )
    box = tag("div", table, class_="scroll wide tall" if len(lines) > SHOWN else "scroll wide")
    return join([tag("h3", "Ranking"), tag("p", _lead(found), class_="lead"), box])


def _lead(found: Priorities) -> str:
    shares = zip(found.selection.objectives, found.selection.weights, strict=True)
    weights = ", ".join(f"{title(name)} {percent(share)}" for name, share in shares)
    text = (
        f"Each figure runs from 0, the worst candidate, to 1, the best; the score is their mean weighted by "
        f"{weights}. Wins is the share of all possible weightings under which a candidate is the best: near "
        "100 % it is the choice whatever matters, at 0 % another is always better. Bold names lie on the "
        "Pareto front: no other betters them in everything."
    )
    if not found.beside:
        return text
    n = next(iter(found.beside.values())).n_images
    return (
        f"{text} {SAME} marks an accuracy that {n} images do not tell apart from that of {found.reference}, "
        f"{DIFFERENT} one that they do: paired bootstrap, with Holm's correction for {len(found.beside)} "
        "comparisons."
    )


def _head(found: Priorities, metric: str) -> list[Html]:
    titles = ["candidate", "score", "wins"]
    titles += [_with_unit(found, name, title_of(metric)) for name in found.selection.objectives]
    if found.beside:
        unit = "%" if is_agreement(metric) else "points"
        titles.append(f"less than {found.reference}, {unit}")
    if found.rates:
        titles.append(f"at {found.fps:g} FPS")
    return [
        tag("th", tag("button", words, type="button"), class_=None if i == 0 else "n")
        for i, words in enumerate(titles)
    ]


def _with_unit(found: Priorities, objective: str, accuracy: str) -> str:
    """ "latency, ms"; of the accuracy the words given."""
    example = next((q for c in found.selection.candidates if (q := c.get(objective)) is not None), None)
    unit = "" if example is None else look(example).shown
    words = accuracy if objective == ACCURACY else title(objective)
    return f"{words}, {unit}" if unit else words


def _line(found: Priorities, place: int, candidate: Candidate, link: Callable[[str], Html | str]) -> Html:
    selection, index = found.selection, found.selection.ranking.order[place]
    name = candidate.name
    shown_name: Child = tag("b", link(name)) if index in selection.front else link(name)
    role = "recommended" if name == found.reference else "float" if candidate.is_float else ""
    score, share = selection.ranking.scores[index], selection.ranking.shares[index]
    row = [
        tag("td", shown_name, class_="recipe"),
        _sorted(number(score, 2), score, "score"),
        _sorted(percent(share), share, "wins"),
        *(_figure(candidate.get(o), _with_unit(found, o, title(o))) for o in selection.objectives),
    ]
    if found.beside:
        row.append(_lost(found.beside.get(name), name == found.reference))
    if found.rates:
        row.append(_rate(found, name))
    return tag("tr", row, class_=role or None)


def _sorted(words: str, value: float, label: str) -> Html:
    return tag("td", words, class_="n", data_v=f"{value:.9g}", data_label=label)


def _figure(quantity: Quantity | None, label: str) -> Html:
    value = None if quantity is None else f"{quantity.value:.9g}"
    return tag("td", cells.value(quantity), class_="n", data_v=value, data_label=label)


def _lost(beside: Beside | None, is_reference: bool) -> Html:
    if beside is None:
        words = "the reference" if is_reference else DASH
        value = "0" if is_reference else None
        return tag("td", tag("small", words), class_="n", data_v=value, data_label="lost to it")
    mark = SAME if beside.same else DIFFERENT
    made_of = f"95 % CI {beside.low:z.2f} to {beside.high:z.2f}, p = {beside.p_value:.2g}"
    made_of += f", {beside.corrected:.2g} with Holm's correction"
    if beside.same and beside.needed is not None:
        made_of += f"; about {beside.needed} images would be needed to tell them apart"
    shown = [number(beside.lost, 2), " ", tag("span", mark, class_="same" if beside.same else "differs")]
    return tag("td", shown, class_="n", title=made_of, data_v=f"{beside.lost:.9g}", data_label="lost to it")


def _rate(found: Priorities, name: str) -> Html:
    rate = found.rates.get(name)
    if rate is None:
        return tag("td", DASH, class_="n", data_label="frame rate")
    words = number(rate.reached_fps, 1 if rate.reached_fps < 100 else 0)
    small = tag("small", rate.found if rate.whole else f"{rate.found}, inference alone")
    return tag(
        "td", words, small, class_="n", data_v=f"{rate.reached_fps:.9g}", data_label="frames per second"
    )
