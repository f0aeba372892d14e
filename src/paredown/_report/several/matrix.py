"""Recipes x models: what each pair loses and how fast it is beside its own float model."""

from __future__ import annotations

from paredown._report.format import DASH, TIMES, number
from paredown._report.html import Html, section, tag
from paredown._report.several.stories import Stories
from paredown._report.story import Story
from paredown.agreement import is_agreement
from paredown.analyze.against_float import baseline_of, is_unjudged, points_lost, ratio_of, rounded
from paredown.measurement import Trial

LONG = 14  # lines of a table that does not scroll by itself


def matrix(stories: Stories) -> Html | None:
    """The table; None where no part has more than its float model."""
    parts = stories.firsts
    labels = list(dict.fromkeys(t.label for s in parts.values() for t in s.trials if t.recipe != "float"))
    if not labels:
        return None
    head = tag("tr", tag("th", "recipe"), [tag("th", part, class_="n") for part in parts])
    body = [
        tag("tr", tag("td", label, class_="recipe"), [_cell(s, label, part) for part, s in parts.items()])
        for label in labels
    ]
    table = tag("table", tag("thead", head), tag("tbody", body), class_="cards matrix", id="matrix")
    box = tag("div", table, class_="scroll tall" if len(labels) > LONG else "scroll wide")
    lost = "Less agreement, %, than the" if is_agreement(stories.metric) else "Points lost against the"
    lead = f"{lost} part's own float model, and below it the latency as a part of that model's."
    return section("matrix", "Every recipe on every model", box, lead=lead)


def _cell(story: Story, label: str, part: str) -> Html:
    trial = next((t for t in story.trials if t.label == label), None)
    if trial is None:
        return tag("td", tag("small", DASH), class_="n out", data_label=part)
    if trial.error is not None:
        why = trial.error.splitlines()[0]
        return tag("td", tag("small", "failed"), class_="n out failed", title=why, data_label=part)
    role = "recommended" if trial.key == story.best else None
    words, small = _figures(trial, story)
    return tag("td", words, tag("small", small), class_=f"n {role}" if role else "n", data_label=part)


def _figures(trial: Trial, story: Story) -> tuple[str, str]:
    lost = None if is_unjudged(trial) else points_lost(trial, baseline_of(story.trials))
    ratio = ratio_of(trial)
    return (
        "not judged" if lost is None else number(rounded(lost.value), 2),
        "not timed" if ratio is None else f"{number(ratio.value, 2)}{TIMES} the time",
    )
