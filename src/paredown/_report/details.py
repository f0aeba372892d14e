"""The sections behind the summary: accuracy, surroundings, doubts."""

from __future__ import annotations

from paredown._report import cells
from paredown._report.evidence import Row
from paredown._report.format import count, look, mb, number, plural, with_unit
from paredown._report.html import Child, Html, bullets, facts, join, nothing, section, tag
from paredown._report.story import ModelFacts, Story
from paredown.analyze.doubts import summed_up
from paredown.metrics import METRICS, title_of
from paredown.tasks import TASKS


def accuracy_tables(rows: tuple[Row, ...]) -> Html:
    """What was measured against the truth, and against the float model's own answers."""
    parts: list[Child] = []
    titles = {"truth": "Against the truth", "reference": "Against the float model's own answers"}
    for against, title in titles.items():
        names = [name for name, metric in METRICS.items() if metric.against == against]
        table = _accuracy_table(rows, names)
        parts += [tag("h3", title), table] if table is not None else []
    return join(parts) if parts else nothing("Accuracy was not measured.")


def _accuracy_table(rows: tuple[Row, ...], names: list[str]) -> Html | None:
    """One line per metric that some model has, one column per model with any; None where none has any."""
    shown_rows = [r for r in rows if any(r.get(n) is not None for n in names)]
    if not shown_rows:
        return None
    head = [tag("th", r.label, class_=f"n {r.role}") for r in shown_rows]
    body = [
        tag("tr", _metric_cell(n, shown_rows), [_cell(r, n) for r in shown_rows])
        for n in names
        if any(r.get(n) is not None for r in shown_rows)
    ]
    table = tag(
        "table", tag("thead", tag("tr", tag("th", "metric"), head)), tag("tbody", body), class_="cards many"
    )
    return tag("div", table, class_="scroll wide")


def _metric_cell(name: str, rows: list[Row]) -> Html:
    """The metric's title with its unit, and what it is."""
    unit = next(look(q).shown for r in rows if (q := r.get(name)) is not None)
    title = f"{title_of(name)}, {unit}" if unit else title_of(name)
    return tag("td", title, tag("small", METRICS[name].summary), class_="recipe")


def _cell(row: Row, name: str) -> Html:
    return tag("td", cells.value(row.get(name)), class_=f"n {row.role}", data_label=row.label)


def model_and_data(story: Story) -> Html:
    """The model, the images and the machine."""
    d = story.dataset
    data_facts: list[tuple[str, Child]] = [
        ("images judged on", f"{number(d.images, 0)} ({d.name}, {d.format})"),
        ("truth", "labels of the data set" if d.has_truth else "none: the float model's own answers"),
        ("calibration", plural(d.calibration_images, "image")),
    ]
    if d.boxes is not None:
        data_facts.append((TASKS[story.model.task].WORDS.truths, number(d.boxes, 0)))
    if d.classes is not None:
        data_facts.append(("classes", number(d.classes, 0)))
    if d.judged_classes:
        data_facts.append(("judged on these alone", ", ".join(d.judged_classes)))
    origins: list[tuple[str, Child]] = [(part, how) for part, how in story.model.origins.items()]
    return section(
        "surroundings",
        "Model, images, machine",
        tag("h3", "Model"),
        facts(_model_facts(story.model)),
        tag("h3", "How the model was understood"),
        facts(origins) if origins else nothing("The card was given by the user."),
        tag("h3", "Images"),
        facts(data_facts),
        tag("p", d.calibration_how),
        bullets(d.notes) if d.notes else None,
        tag("h3", "Machine"),
        facts(_fact(key, value) for key, value in story.environment.items())
        if story.environment
        else nothing("The surroundings were not recorded."),
    )


def _model_facts(m: ModelFacts) -> list[tuple[str, Child]]:
    model_facts: list[tuple[str, Child]] = [
        ("file", m.name),
        ("sha256", tag("code", m.sha256)),
        ("size", mb(m.size_bytes)),
        ("family", m.family),
        ("task", m.task),
        *(("input", text) for text in m.inputs),
    ]
    if m.macs is not None:
        model_facts.append(("multiply-accumulates per image (counted)", count(m.macs)))
    if m.weights is not None:
        model_facts.append(("weights (counted)", count(m.weights)))
    if m.peak_activation_bytes is not None:
        model_facts.append(("peak activation memory (estimated)", mb(m.peak_activation_bytes)))
    return model_facts


def _fact(key: str, value: object) -> tuple[str, str]:
    """A fact of the machine in words: ("memory", "8.1 GB")."""
    if isinstance(value, int | float) and key.endswith("_bytes"):
        size = with_unit(number(value / 1e9, 1), "GB") if value >= 1e9 else mb(value) if value else "none"
        return key.removesuffix("_bytes").replace("_", " "), size
    if isinstance(value, int | float) and key.endswith("_mhz"):
        return key.removesuffix("_mhz").replace("_", " "), with_unit(number(value, 0), "MHz")
    return key.replace("_", " "), _plain(value)


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_plain(v) for v in value)
    if isinstance(value, dict):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items())
    return "not known" if value is None else str(value)


def doubts(story: Story, rows: tuple[Row, ...]) -> Html:
    """Reasons not to believe a number: of the study, then of the trials, one sentence for each kind."""
    said = [*story.doubts, *summed_up([r.trial for r in rows])]
    body = (
        tag("div", bullets(said), class_="doubts")
        if said
        else nothing("No measurement gave a reason for doubt.")
    )
    return section(
        "doubts", "Doubts", body, lead="What the measurements themselves say against being believed."
    )


def reproduce(story: Story) -> Html:
    made = f"Made on {story.made_on}. " if story.made_on else ""
    return section(
        "reproduce",
        "Run it again",
        tag("pre", story.command),
        tag(
            "p",
            f"{made}The samples behind every figure stand in trials.jsonl beside this file.",
            class_="lead",
        ),
    )
