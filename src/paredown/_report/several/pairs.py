"""Two candidates picked by the reader, beside each other: their figures, and whether they are told apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from paredown._report.format import number, shown
from paredown._report.html import Html, nothing, section, tag
from paredown.agreement import is_agreement
from paredown.analyze.kept import Kept, apart
from paredown.analyze.pairs import Beside, amount, one_beside, undecided
from paredown.analyze.priorities import Priorities
from paredown.analyze.selection import ACCURACY, Candidate, title
from paredown.metrics import title_of

MOST = 40  # candidates that can be picked, the best ranked: every pair of them is worked out beforehand
SHOWN = (ACCURACY, "latency_s", "latency_ratio", "size_bytes", "peak_memory_bytes", "energy_j",
         "accuracy_per_mb", "accuracy_per_j")  # fmt: skip


def pairs(found: Priorities, kept: Mapping[str, Kept], metric: str) -> Html:
    """The section: two lists to pick from, and the table that pairs.js fills."""
    chosen = found.selection.ranked[:MOST]
    if len(chosen) < 2:
        return section("pairs", "Two beside each other", nothing("There are not two candidates to pick."))
    values = {
        "candidates": [_figures(c, metric) for c in chosen],
        "apart": _apart(chosen, kept, metric),
    }
    script = json.dumps(values, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    options = [tag("option", c.name, value=str(i)) for i, c in enumerate(chosen)]
    picks = [
        tag("label", words, " ", tag("select", options, id=f"pick-{side}", data_start=str(start)))
        for words, side, start in (("First", "a", 0), ("second", "b", 1))
    ]
    body = tag("table", tag("thead"), tag("tbody"), class_="pairs", id="pair")
    many = len(found.selection.ranked) > MOST
    lead = (
        "Pick two candidates"
        + (f" of the {MOST} best ranked" if many else "")
        + " to see what sets them apart."
    )
    return section(
        "pairs",
        "Two beside each other",
        tag("div", picks, class_="filters picks"),
        tag("div", body, class_="scroll"),
        tag("p", "", id="pair-said", class_="lead", aria_live="polite"),
        tag("script", Html(script), type="application/json", id="pair-data"),
        lead=lead,
    )


def _figures(candidate: Candidate, metric: str) -> dict[str, Any]:
    found = {title_of(metric) if name == ACCURACY else title(name): candidate.get(name) for name in SHOWN}
    figures = {name: shown(q) for name, q in found.items() if q is not None}
    lost = f"less {title_of(metric)}, %" if is_agreement(metric) else "points lost against its float model"
    return {"name": candidate.name, "figures": figures | {lost: number(candidate.lost, 2)}}


def _apart(chosen: tuple[Candidate, ...], kept: Mapping[str, Kept], metric: str) -> dict[str, str]:
    """ "i,j" -> a sentence on the pair, for i < j; only of those judged on the same images."""
    said = {}
    for i, first in enumerate(chosen):
        for j in range(i + 1, len(chosen)):
            a, b = kept.get(first.name), kept.get(chosen[j].name)
            difference = None if a is None or b is None else apart(a, b)
            if difference is not None and a is not None:
                said[f"{i},{j}"] = _sentence(one_beside(difference, a.n_images), metric)
    return said


def _sentence(beside: Beside, metric: str) -> str:
    """Of the second beside the first, without their names."""
    low, high = (beside.low, beside.high) if round(beside.lost, 2) >= 0 else (-beside.high, -beside.low)
    told = undecided(beside) or f"Told apart on these {beside.n_images} images (p = {beside.p_value:.2g})."
    return f"{amount(beside, metric)}, 95 % interval {number(low, 2)} to {number(high, 2)}. {told}"
