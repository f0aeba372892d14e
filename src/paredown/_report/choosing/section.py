"""The section "Which for what": guideline, ranking with its sensitivity, radar, real-time bars, seeds."""

from __future__ import annotations

from collections.abc import Callable

from paredown._report import plots
from paredown._report.choosing import frame_rate, radar, seeds
from paredown._report.choosing.ranking_table import ranking_table
from paredown._report.format import DASH, told
from paredown._report.html import Child, Html, nothing, section, tag
from paredown.analyze.guideline import BALANCED, Advice
from paredown.analyze.pairs import undecided
from paredown.analyze.priorities import Priorities
from paredown.metrics import title_of
from paredown.quantities import in_unit

Link = Callable[[str], Html | str]
"""name of a candidate -> what stands for it in a table."""


def choosing(found: Priorities, metric: str, link: Link = str) -> Html:
    """The section. metric: what "accuracy" means here. link: how candidates are shown."""
    ranked = found.selection.ranked
    parts: list[Child]
    if len(ranked) < 2:
        parts = [nothing("Fewer than two candidates have every figure, so there is nothing to choose from.")]
    else:
        figures = [plots.draw(f) for f in (radar.figure(found), frame_rate.figure(found)) if f is not None]
        parts = [
            guideline_table(found, link),
            ranking_table(found, metric, link),
            tag("div", figures, class_="two") if figures else None,
        ]
    return section(
        "which",
        "Which for what",
        _unfit(found),
        *parts,
        _left_out(found),
        *seeds.block(found, metric),
        lead="Derived from the trials of this page by the rules that stand beside each answer.",
    )


def guideline_table(found: Priorities, link: Link = str) -> Html:
    """For each priority the candidate, the figure that decided, and the rule."""
    head = tag("tr", [tag("th", words) for words in ("if you want", "take", "for", "rule")])
    body = [tag("tr", _advice(found, advice, link)) for advice in found.advice]
    table = tag("table", tag("thead", head), tag("tbody", body), class_="cards guideline")
    return tag("div", table, class_="scroll")


def _advice(found: Priorities, advice: Advice, link: Link) -> list[Html]:
    name = advice.candidate.name
    return [
        tag("td", tag("b", advice.priority), class_="recipe"),
        tag("td", link(name), data_label="take"),
        tag("td", figure_of(advice), class_="n", data_label="for"),
        tag("td", tag("small", advice.rule, *_unsure(found, advice)), class_="rule", data_label="rule"),
    ]


def figure_of(advice: Advice) -> str:
    """The figure that decided: "29.5 ms", "12 s", "score 0.71", "mAP50-95 0.262"."""
    if advice.priority == "quickest to make":
        return f"{advice.found.value:.0f} s" if advice.found.value >= 10 else f"{advice.found.value:.1f} s"
    if advice.priority == BALANCED:
        return f"score {advice.found.value:.2f}"
    said = told(advice.found) or DASH
    return f"{title_of(advice.found.name)} {said}" if advice.priority == "most accurate" else said


def _unsure(found: Priorities, advice: Advice) -> list[Child]:
    """Beside "most accurate": that the recommended one is not told apart from it."""
    beside = found.beside.get(advice.candidate.name)
    if advice.priority != "most accurate" or beside is None or not (said := undecided(beside)):
        return []
    return [f". Beside {found.reference}: {said[0].lower()}{said[1:]}"]


def unfit_words(found: Priorities) -> str:
    """That latencies were taken on a machine that was not fit for it; empty where none were."""
    measured = [c.trial.measurement for c in found.selection.candidates if c.trial.measurement is not None]
    unfit = sum(any(d.unfit for d in m.doubts) for m in measured)
    if not unfit:
        return ""
    return (
        f"The machine was not fit to time on while {unfit} of {len(measured)} candidates were timed. What "
        "follows from latency here is no more than a hint."
    )


def _unfit(found: Priorities) -> Html | None:
    return tag("div", said, class_="unfinished") if (said := unfit_words(found)) else None


def _left_out(found: Priorities) -> Html | None:
    """Who is not ranked, and why."""
    if not found.selection.left_out:
        return None
    reasons: dict[str, list[str]] = {}
    for name, why in found.selection.left_out.items():
        reasons.setdefault(why, []).append(name)
    lines = [tag("li", tag("b", ", ".join(names)), f": {why}") for why, names in reasons.items()]
    return tag("details", tag("summary", "Not ranked, and why"), tag("ul", lines))


def rate_words(found: Priorities, name: str) -> str:
    """ "keeps up: 24.0 ms of 33.3 ms"; "" where no frame rate was asked for."""
    rate = found.rates.get(name)
    if rate is None:
        return ""
    budget = in_unit(1 / rate.fps, "s", ".1f")
    alone = "" if rate.whole else ", inference alone"
    return f"{rate.found}: {in_unit(rate.frame_s, 's', '.1f')} of {budget}{alone}"
