"""What every recipe left float, and why: layer by layer, and what its steps logged, grouped by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from paredown._report import layer_table, outliers, sensitivity
from paredown._report.evidence import Row
from paredown._report.format import number
from paredown._report.html import Child, Html, join, nothing, section, tag
from paredown._report.plain_reasons import plain
from paredown._report.plots import draw
from paredown._report.story import Story
from paredown.measurement import StepRecord

LEAD = (
    "Every layer of the model: in which numbers it computes, what that costs here, and why it stayed float."
)
GONE = "The model's file is not in the study, or cannot be read, so its layers are not shown."


def floats(story: Story, rows: tuple[Row, ...]) -> Html:
    """The recommended model's layers with a drawing; every other model's behind a line."""
    shown = [r for r in rows if r.trial.log or (r.trial.key in story.layers and r.role != "float")]
    first = _first(story, shown)
    parts: list[Child] = []
    if first is not None:
        parts = [_opened(story, first), *(_model(story, r) for r in shown if r is not first)]
    figures = [f for i, r in enumerate(shown) if (f := sensitivity.figure(r, f"plot-layers-{i}")) is not None]
    none = nothing("No compressed model was made, so nothing was left float.")
    body = [*parts, *(draw(f) for f in figures)]
    return section("left-float", "What was left float, and why", body or none, lead=LEAD)


def _first(story: Story, shown: list[Row]) -> Row | None:
    """The model asked for, the recommended one, the one whose pictures stand beside float's, or the first."""
    asked = next((r for r in shown if story.layers_for in (r.label, r.trial.key)), None)
    recommended = next((r for r in shown if r.role == "recommended"), None)
    pictured = next((r for r in shown if r.label == story.pictures_of), None)
    return asked or recommended or pictured or (shown[0] if shown else None)


def _opened(story: Story, row: Row) -> Html:
    layers = layer_table.rows_of(story, row)
    body = layer_table.block(story, row, layers, drawn=True) if layers else nothing(GONE)
    steps = _steps(row)
    more = tag("details", tag("summary", "What the steps of the recipe did"), steps, class_="steps")
    return join([tag("h3", row.label), body, more if steps else None])


def _model(story: Story, row: Row) -> Html:
    """Another model behind a line with its count: the reasons, and how often each."""
    layers = layer_table.rows_of(story, row)
    words = layer_table.summary(layers) if layers else GONE if row.trial.model_file else "No model was made."
    head = tag("summary", tag("b", row.label), tag("span", f"  {words}", class_="lead"))
    counts = Counter(r.why for r in layers if r.layer.arithmetic == "float")
    reasons = [tag("li", tag("b", number(n, 0)), f" {why}") for why, n in counts.most_common()]
    notes = [r.why for r in row.trial.log if not r.where and r.action != "skipped"]
    more = tag(
        "p",
        "All of its layers: ",
        tag("code", f"paredown report STUDY_DIR --layers {row.label}"),
        class_="lead",
    )
    body = [tag("ul", reasons, class_="reasons") if reasons else None, [tag("p", plain(n)) for n in notes]]
    return tag("details", head, tag("div", body, more if layers else None, class_="inside"))


def _steps(row: Row) -> Html:
    """What the steps say of the whole graph, what they left out and why, and channels that stand out."""
    counts = tally(row.trial.log)
    words = ", ".join(f"{number(n, 0)} {action}" for action, n in sorted(counts.items()))
    notes = [r.why for r in row.trial.log if not r.where and r.action != "skipped"]
    said = [tag("p", f"Records of its steps: {words}.", class_="lead")] if words else []
    reasons = [_reason(r) for r in by_reason(row.trial.log)]
    return join([said, [tag("p", plain(n)) for n in notes], reasons, outliers.table(row.trial.log)])


def _reason(reason: Reason) -> Html:
    places = [p for p in reason.places if p]
    head = tag("summary", tag("b", number(max(1, len(places)), 0)), f" {reason.action}: {plain(reason.why)}")
    if not places:
        return tag("details", head, nothing("This concerns the whole graph."))
    return tag("details", head, tag("ul", [tag("li", tag("code", p)) for p in places], class_="nodes"))


@dataclass(frozen=True)
class Reason:
    """Places that share one action and one reason, in the order of the log."""

    action: str
    why: str
    places: tuple[str, ...]


def by_reason(log: Iterable[StepRecord], actions: tuple[str, ...] = ("float", "skipped")) -> list[Reason]:
    """The reasons for these actions, the one with most places first."""
    groups: dict[tuple[str, str], list[str]] = {}
    for record in log:
        if record.action in actions:
            groups.setdefault((record.action, record.why), []).append(record.where)
    reasons = [Reason(action, why, tuple(w for w in places if w)) for (action, why), places in groups.items()]
    return sorted(reasons, key=lambda r: -len(r.places))


def tally(log: Iterable[StepRecord]) -> dict[str, int]:
    """How many places each action touched; records about the whole graph are not places."""
    counts: dict[str, int] = {}
    for record in log:
        if record.where:
            counts[record.action] = counts.get(record.action, 0) + 1
    return counts
