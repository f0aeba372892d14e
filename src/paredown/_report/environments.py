"""The section on trials of other machines and runtimes: shown beside each other, never in one ranking."""

from __future__ import annotations

from paredown._report import cells
from paredown._report.html import Html, bullets, section, tag
from paredown._report.story import Elsewhere, Story
from paredown.metrics import title_of
from paredown.quantities import QUANTITIES


def environments(story: Story) -> Html | None:
    """One table for each other environment under what differs from this one; None where there is none."""
    if not story.elsewhere:
        return None
    lead = (
        "These trials were taken on another machine or with other packages than the ones above. They are not "
        "ranked: a latency or an accuracy of one environment says nothing beside one of another."
    )
    return section("environments", "Other environments", [_one(e, story) for e in story.elsewhere], lead=lead)


def _one(elsewhere: Elsewhere, story: Story) -> Html:
    names = (story.metric, *(k.name for k in QUANTITIES.values() if "elsewhere" in k.places))
    head = [tag("th", "recipe"), *(tag("th", title_of(name), class_="n") for name in names)]
    rows = [
        tag(
            "tr",
            tag("td", t.label),
            [tag("td", cells.value(t.measurement.get(n)), class_="n") for n in names],
        )
        for t in elsewhere.trials
        if t.measurement is not None
    ]
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", rows), class_="cards")
    differs = elsewhere.differs or ("what differs was not recorded",)
    return tag("div", tag("p", "Then, and now:"), bullets(differs), tag("div", table, class_="scroll"))
