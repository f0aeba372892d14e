"""The bundle's README: what was measured, what lies there, and the lines that run it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from string import Template

from paredown._report.format import interval, shown
from paredown.analyze.against_float import FLOAT
from paredown.card import Card
from paredown.deploy.front_matter import front_matter
from paredown.deploy.model_files import ModelFiles
from paredown.measurement import Quantity, Trial, machine_name
from paredown.metrics import kind_of, title_of
from paredown.model import Model
from paredown.preprocessing.values import describe
from paredown.printable import printable
from paredown.tasks import TASKS

# Of the float model these say how steady the machine was, not how fast it is.
AGAINST_FLOAT = ("latency_ratio", "float_latency_s")


def readme(
    model: Model,
    card: Card,
    trial: Trial,
    files: ModelFiles,
    source_name: str,
    judged_on: str = "",
    classes: tuple[str, ...] = (),
) -> str:
    """The text: the head that model hubs read, what was measured, what lies here, the lines that run it.

    judged_on: the images that the figures are of, in words. classes: those that they are of, empty for all.
    """
    template = Template((resources.files("paredown.deploy") / "readme.md").read_text(encoding="utf-8"))
    height, width = card.preprocess.size
    words = TASKS[card.task].WORDS
    summary = (
        f"A {words.kind} of the family {card.family}, {len(card.classes)} classes, input {width} x {height}, "
        f"fed with {describe(card.preprocess)}."
    )
    if classes:
        summary += (
            f" It was chosen and judged on {', '.join(classes)} alone, and `detect.py` tells of nothing "
            "else: how well other classes come out was not looked at (`--classes all` shows them)."
        )
    name = Path(source_name).stem or model.name
    text = template.substitute(
        name=printable(f"{name}, {trial.label}" if trial.label != name else name),
        summary=summary,
        figures="\n".join(figures(trial, files)),
        files="\n".join(files.rows()),
        package=files.ships.package,
        first=files.ships.names[0],
        source_name=printable(source_name or model.name),
        source_sha=trial.source_sha256,
        recipe=trial.recipe,
        marks=words.marks,
        conf=f"{card.conf:g}",
        example=words.example,
    )
    images = f"{judged_on}, {', '.join(classes)} alone" if judged_on and classes else judged_on
    return printable(front_matter(card, trial, name, images) + text, keep_lines=True)


def figures(trial: Trial, files: ModelFiles) -> list[str]:
    """Rows of the table: the measured quantities, and on what."""
    rows = [f"| file size | {files.size_bytes / 1e6:.2f} MB |", f"| runtime | {files.built_with} |"]
    if trial.measurement is None:
        return rows
    hidden = AGAINST_FLOAT if trial.recipe == FLOAT else ()
    shipped = [q for q in trial.measurement.quantities if q.name not in hidden]
    found = [q for q in shipped if "bundle" in kind_of(q.name).places]
    rows += [f"| {title_of(q.name)} | {shown(q)}{_span(q)}, {q.how} |" for q in found]
    return [*rows, f"| on | target {machine_name(trial.measurement)} |"]


def _span(quantity: Quantity) -> str:
    span = interval(quantity)
    return f" (95 % interval {span})" if span else ""
