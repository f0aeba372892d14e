"""Every class by itself: how often a model is right about it, and what it takes it for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paredown._report import evidence, plots
from paredown._report.evidence import Row
from paredown._report.format import DASH, MINUS, number, plural
from paredown._report.html import Child, Html, join, nothing, tag
from paredown._report.plots import Figure
from paredown._report.story import Story
from paredown.metrics.confusion import NONE
from paredown.tasks import TASKS

CHANGES_SHOWN = 20  # classes in the plot of changes
MATRIX_SHOWN = 24  # classes in the confusion matrix
Cells = Mapping[tuple[int, int], int]


@dataclass(frozen=True)
class ClassLine:
    """One class: its value (AP or top-1, 0..1) with float and with the model. images: 0 where not counted."""

    name: str
    images: int
    before: float
    after: float
    taken_for: str = ""

    @property
    def change(self) -> float:
        """Points gained; negative where lost."""
        return 100 * (self.after - self.before)


def block(story: Story, rows: tuple[Row, ...]) -> list[Child]:
    """Plot and table of the classes, and the confusion matrix where there is one."""
    reference = evidence.float_row(rows)
    chosen = _chosen(story, rows, reference)
    if chosen is None or reference is None:
        return [nothing("No model was measured class by class beside the float model.")]
    lines = _lines(story, chosen, reference)
    if not lines:
        return [nothing("No class was judged in both the float model and another.")]
    words = _words(story)
    return [
        _drawn(_changes(lines, chosen, words), "No class lost or gained."),
        tag("details", tag("summary", f"All {plural(len(lines), 'class')}"), _table(lines, chosen, words)),
        _matrix(story, chosen) if confusion_of(chosen) else None,
    ]


def _words(story: Story) -> tuple[str, str]:
    """The measure of a class, and what is counted."""
    words = TASKS[story.model.task].WORDS
    return words.of_class if story.dataset.has_truth else words.of_class_fidelity


def _chosen(story: Story, rows: tuple[Row, ...], reference: Row | None) -> Row | None:
    """The recommended model, or the one in the pictures, or the first with figures of classes."""
    able = [r for r in rows if r is not reference and (r.curve("ap_per_class") or confusion_of(r))]
    for wanted in (lambda r: r.role == "recommended", lambda r: r.label == story.pictures_of, lambda r: True):
        if (found := next(filter(wanted, able), None)) is not None:
            return found
    return None


def confusion_of(row: Row) -> dict[tuple[int, int], int]:
    """(true class, class said) -> images; empty where it was not kept."""
    cells = zip(*(row.curve(f"confusion_{part}") for part in ("true", "said", "count")), strict=False)
    return {(int(t), int(s)): int(n) for t, s, n in cells}


def _lines(story: Story, row: Row, reference: Row) -> list[ClassLine]:
    """One line for each class judged, the largest loss first."""
    before, after = reference.curve("ap_per_class"), row.curve("ap_per_class")
    if after:
        lines = [
            ClassLine(name, 0, b, a)
            for name, b, a in zip(story.classes, before, after, strict=False)
            if b >= 0 and a >= 0
        ]
        return sorted(lines, key=lambda line: line.change)
    floats, mine = confusion_of(reference), confusion_of(row)
    lines = []
    for index in sorted({t for t, _ in mine} & {t for t, _ in floats}):
        images, right, wrong = _row_of(mine, index)
        total, right_before, _ = _row_of(floats, index)
        worst = max(wrong, key=lambda s: wrong[s], default=None)
        taken = "" if worst is None else f"{_name(story, worst)} ({number(wrong[worst], 0)})"
        lines.append(ClassLine(_name(story, index), images, right_before / total, right / images, taken))
    return sorted(lines, key=lambda line: line.change)


def _row_of(cells: Mapping[tuple[int, int], int], true: int) -> tuple[int, int, dict[int, int]]:
    """Images of a true class, those right, and the classes said instead."""
    said = {s: n for (t, s), n in cells.items() if t == true}
    return sum(said.values()), said.get(true, 0), {s: n for s, n in said.items() if s != true}


def _name(story: Story, index: int) -> str:
    return story.classes[index] if 0 <= index < len(story.classes) else "no class"


def _drawn(figure: Figure | None, empty: str) -> Html:
    return nothing(empty) if figure is None else tag("div", plots.draw(figure))


def _changes(lines: Sequence[ClassLine], row: Row, words: tuple[str, str]) -> Figure | None:
    """Points gained or lost by class."""
    changed = [line for line in lines if abs(line.change) >= 0.005]
    if not changed:
        return None
    shown, which = _largest(changed)
    bar: dict[str, Any] = {
        "type": "bar",
        "orientation": "h",
        "y": [line.name for line in shown],
        "x": [line.change for line in shown],
        "marker": {"color": ["--series-5" if line.change < 0 else "--series-3" for line in shown]},
        "hovertemplate": "%{y}: %{x:.2f} points<extra></extra>",
    }
    layout = {
        "xaxis": plots.axis(f"change of {words[0]}, points"),
        "yaxis": plots.axis("", type="category", autorange="reversed", ticksuffix="  ", dtick=1),
        "showlegend": False,
        "bargap": 0.3,
    }
    caption = f"{row.label} against float, measured: {which}. Few {words[1]} make a class swing by chance."
    return Figure("plot-classes", [bar], layout, caption, height=110 + 22 * len(shown))


def _largest(changed: Sequence[ClassLine]) -> tuple[Sequence[ClassLine], str]:
    """As many of the losses and gains as can be read, half of each where there are as many, and which."""
    if len(changed) <= CHANGES_SHOWN:
        return changed, "all classes that changed"
    lost = sum(line.change < 0 for line in changed)  # they stand first
    half = CHANGES_SHOWN // 2
    losses = min(lost, max(half, CHANGES_SHOWN - (len(changed) - lost)))
    gains = CHANGES_SHOWN - losses
    parts = [f"{n} largest {word}" for n, word in ((losses, "losses"), (gains, "gains")) if n]
    return [*changed[:losses], *changed[len(changed) - gains :]], f"the {' and '.join(parts)}"


def _table(lines: Sequence[ClassLine], row: Row, words: tuple[str, str]) -> Html:
    """Every class, sortable."""
    counted = any(line.images for line in lines)
    numbers = [*([words[1]] if counted else []), "float", row.label, "change, points"]
    heads = [("class", None), *((n, "n") for n in numbers), *([("taken for", None)] if counted else [])]
    head = [tag("th", tag("button", title, type="button"), class_=kind) for title, kind in heads]
    body = [tag("tr", _cells(line, counted=counted)) for line in lines]
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", body), class_="sortable", id="classes")
    lead = f"{words[0]} of every class, measured; a point is 0.01."
    return tag("div", tag("p", lead, class_="lead"), tag("div", table, class_="scroll tall"), class_="inside")


def _cells(line: ClassLine, *, counted: bool) -> list[Html]:
    shown = [(float(line.images), number(line.images, 0))] if counted else []
    shown += [(v, number(v, 3)) for v in (line.before, line.after)]
    shown.append((line.change, _signed(line.change)))
    cells = [tag("td", line.name), *(tag("td", words, class_="n", data_v=f"{v:.9g}") for v, words in shown)]
    return [*cells, tag("td", line.taken_for or DASH)] if counted else cells


def _signed(points: float) -> str:
    text = number(points, 2)
    return text if text.startswith(MINUS) or float(f"{points:.2f}") == 0 else f"+{text}"


def _matrix(story: Story, row: Row) -> Html:
    """The confusion matrix of the model: of all classes, or of those that are mistaken most often."""
    cells = confusion_of(row)
    wrong: dict[int, int] = {}
    for (true, said), n in cells.items():
        if true != said:
            for index in (true, said):
                wrong[index] = wrong.get(index, 0) + n
    judged = sorted({index for cell in cells for index in cell if index >= 0})
    all_fit = len(judged) <= MATRIX_SHOWN
    worst = sorted(sorted(wrong, key=lambda i: -wrong[i])[:MATRIX_SHOWN])
    shown = judged if all_fit else [i for i in worst if i >= 0]
    boxes = TASKS[story.model.task].WORDS.truths != ""
    named = [_name(story, i) for i in shown]
    if boxes:  # what is missed, and what is made up
        shown, named = [*shown, NONE], [*named, "nothing"]
    title = tag("h3", f"Confusion matrix of {row.label}")
    if not wrong:
        return join([title, nothing("Every image got the class that was wanted.")])
    which = "All classes" if all_fit else f"The {len(shown)} classes that are mistaken most often"
    truth = "true class" if story.dataset.has_truth else "class of the float model"
    counted = "boxes at the card's confidence, matched by where they lie" if boxes else "the number of images"
    last = " The last column is what was missed, the last row what was made up." if boxes else ""
    caption = (
        f"{which}, measured: rows are the {truth}, columns the class {row.label} says; {counted}. "
        f"Off the diagonal are mistakes; colours run by the logarithm, so that single ones show.{last}"
    )
    unit = "boxes" if boxes else "images"
    return join([title, plots.draw(_heat(named, shown, cells, (truth, unit), caption))])


def _heat(
    names: list[str], shown: Sequence[int], cells: Cells, words: tuple[str, str], caption: str
) -> Figure:
    """words: what the rows are, and what is counted."""
    truth, unit = words
    counts = [[cells.get((t, s), 0) for s in shown] for t in shown]
    heat: dict[str, Any] = {
        "type": "heatmap",
        "x": names,
        "y": names,
        "z": [[_shade(n) for n in line] for line in counts],
        "text": [[str(n) if n else "" for n in line] for line in counts],
        "texttemplate": "%{text}" if len(shown) <= 16 else "",
        "customdata": counts,
        "colorscale": [[0, "--card"], [1, "--best"]],
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
        "hovertemplate": f"{truth} %{{y}}<br>said %{{x}}<br>%{{customdata}} {unit}<extra></extra>",
    }
    layout = {
        "xaxis": plots.axis("said", type="category", tickangle=-45, dtick=1, showgrid=False),
        "yaxis": plots.axis(truth, type="category", autorange="reversed", dtick=1, showgrid=False),
        "showlegend": False,
    }
    return Figure("plot-confusion", [heat], layout, caption, height=190 + 26 * len(shown))


def _shade(images: int) -> float:
    """0 for none, then by the logarithm."""
    return 0.0 if images == 0 else 1.0 + math.log2(images)
