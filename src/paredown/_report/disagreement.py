"""The images on which the candidates of a study disagree most, by how right each of them is there."""

from __future__ import annotations

import numpy as np

from paredown._report.format import number, plural
from paredown._report.html import Child, tag
from paredown._report.story import Story
from paredown.analyze.kept import Kept
from paredown.tasks import TASKS

MOST = 8  # images
LEAST = 3  # candidates: of two the pictures say more


def block(story: Story) -> list[Child]:
    """Title, words and table; empty with fewer than three candidates, or where nothing was kept."""
    kept = _comparable(story)
    if len(kept) < LEAST:
        return []
    scores = np.array([k.scores for k in kept.values()])  # (candidates, images)
    known = ~np.isnan(scores).any(axis=0)
    spread = np.where(known, np.nan_to_num(scores).std(axis=0), 0.0)
    order = [int(i) for i in np.argsort(-spread, kind="stable")[:MOST] if spread[i] > 0]
    if not order:
        return []
    labels, images = [*kept], next(iter(kept.values())).images
    titles = ("image", "best on it", "", "worst on it", "")
    heads = [tag("th", words, class_=None if words else "n") for words in titles]
    rows = []
    for i in order:
        best, worst = int(scores[:, i].argmax()), int(scores[:, i].argmin())
        rows.append(
            tag(
                "tr",
                tag("td", images[i], class_="recipe"),
                tag("td", labels[best], data_label="best on it"),
                tag("td", number(float(scores[best, i]), 2), class_="n", data_label="score"),
                tag("td", labels[worst], data_label="worst on it"),
                tag("td", number(float(scores[worst, i]), 2), class_="n", data_label="score"),
            )
        )
    lead = (
        f"Of {plural(len(images), 'image')}, those on which {plural(len(kept), 'candidate')} differ most in "
        f"how right they are: {TASKS[story.model.task].WORDS.score}."
    )
    table = tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows), class_="cards", id="disagree")
    return [
        tag("h3", "Where the candidates disagree most"),
        tag("p", lead, class_="lead"),
        tag("div", table, class_="scroll"),
    ]


def _comparable(story: Story) -> dict[str, Kept]:
    """By label, those that were judged on the images of the first."""
    kept = {t.label: story.kept[t.key] for t in story.trials if t.key in story.kept}
    first = next(iter(kept.values()), None)
    return {} if first is None else {label: k for label, k in kept.items() if k.same == first.same}
