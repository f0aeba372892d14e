"""Models x places: the verdict of each part with a link to its page; and the parts without figures."""

from __future__ import annotations

from paredown._report.format import DASH, plural, shown
from paredown._report.html import Child, Html, section, tag
from paredown._report.several.stories import Stories
from paredown._report.story import Story
from paredown.analyze.against_float import accuracy_of, compared, points_lost, rounded, speed_of
from paredown.study.index import FOLDER, Entry
from paredown.study.words import lost_phrase, speed_phrase


def verdicts(stories: Stories) -> Html:
    """The table; a part's cell has its recommendation and leads to its page."""
    index = stories.index
    places = list(dict.fromkeys(e.place for e in index.entries))
    first = {(e.model, e.place): index.repeats(e)[0] for e in index.entries}
    head = tag("tr", tag("th", "model"), [tag("th", place) for place in places])
    body = [
        tag("tr", tag("td", tag("b", model), _float_words(stories, model), class_="recipe"),
            [_cell(stories, first.get((model, place)), place) for place in places])
        for model in index.models
    ]  # fmt: skip
    table = tag("table", tag("thead", head), tag("tbody", body), class_="cards matrix", id="verdicts")
    lead = (
        "The recommended model of each part, beside its own float model; the name leads to the part's page."
    )
    box, apart = tag("div", table, class_="scroll wide"), [tag("p", text) for text in stories.apart]
    return section("verdicts", "Verdicts", box, *apart, *_not_tried(stories), lead=lead)


def _float_words(stories: Stories, model: str) -> Html | None:
    """What the float model of a row comes to: "float: 0.414, 62.1 ms, 12.8 MB"."""
    entry = next((e for e in stories.index.entries if e.model == model and e.label in stories.parts), None)
    verdict = None if entry is None else stories.parts[entry.label].verdict
    if verdict is None:
        return None
    floats = verdict.baseline
    found = [accuracy_of(floats), *(compared(floats, floats, name) for name in ("latency_s", "size_bytes"))]
    return tag("small", "float: ", ", ".join(shown(q) for q in found if q is not None))


def _cell(stories: Stories, entry: Entry | None, place: str) -> Html:
    if entry is None:
        return tag("td", DASH, data_label=place)
    story = stories.parts.get(entry.label)
    if story is None or story.verdict is None:
        words = entry.why.partition("\n")[0] or {
            "waiting": "waits for its turn",
            "running": "being tried",
        }.get(entry.state, "")
        return tag("td", tag("small", f"{entry.state}: {words}" if words else entry.state), class_="out",
                   data_label=place)  # fmt: skip
    return tag(
        "td",
        tag("a", story.verdict.best.label, href=link_of(entry.label)),
        " ",
        tag("small", _words(story)),
        _other_seeds(stories, entry),
        class_=None if story.verdict.gate_met else "missed",
        data_label=place,
    )


def _other_seeds(stories: Stories, entry: Entry) -> Html | None:
    """Links to the pages of the same part with other seeds; None where there is no such page."""
    others = [e for e in stories.index.repeats(entry) if e.label != entry.label and e.label in stories.parts]
    if not others:
        return None
    return tag("small", "other seeds:", [[" ", tag("a", str(e.seed), href=link_of(e.label))] for e in others])


def link_of(label: str) -> str:
    """The part's page, from the page over all."""
    return f"{FOLDER}/{label}/report.html"


def _words(story: Story) -> str:
    verdict = story.verdict
    if verdict is None:
        return ""
    if verdict.best.key == verdict.baseline.key:
        said = "no compressed model is better within the limits"
        return said if story.finished else f"so far {said}"
    lost = points_lost(verdict.best, verdict.baseline)
    parts = [
        speed_phrase(speed_of(verdict.best, verdict.baseline)),
        "" if lost is None else lost_phrase(verdict.best, verdict.baseline),
        "" if verdict.gate_met else "the limits are not met",
    ]
    doubt = "" if lost is None or rounded(lost.value) >= 0 else "by chance as a rule"
    said = ", ".join(p for p in (*parts, doubt) if p)
    return said if story.finished else f"so far: {said}"


def _not_tried(stories: Stories) -> list[Child]:
    """Parts that were skipped or failed, with the reason."""
    out = [e for e in stories.index.entries if e.state in ("skipped", "failed")]
    if not out:
        return []
    reasons: dict[tuple[str, str], list[str]] = {}
    for entry in out:
        reasons.setdefault((entry.state, entry.why), []).append(entry.label)
    lines = [
        tag("li", tag("b", ", ".join(labels)), f" {state}: {why}", class_="reason")
        for (state, why), labels in reasons.items()
    ]
    return [tag("h3", f"Not in the figures ({plural(len(out), 'part')})"), tag("ul", lines)]
