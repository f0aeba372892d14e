"""Recipes that were tried with several seeds: mean and spread, and which differ from the recommended."""

from __future__ import annotations

from paredown._report.choosing.ranking_table import DIFFERENT, SAME
from paredown._report.format import DASH, number
from paredown._report.html import Child, Html, tag
from paredown.analyze.priorities import Priorities
from paredown.analyze.repeats import Repeat
from paredown.metrics import title_of
from paredown.statistics.over_trials import LEVEL

LONG = 14  # lines of a table that does not scroll by itself


def block(found: Priorities, metric: str) -> list[Child]:
    """Title, words and table; empty where every recipe was tried once."""
    if not found.repeats:
        return []
    titles = ("recipe", "trials", f"{title_of(metric)}, mean \u00b1 std", "difference, points", "t-test, p",
              "Wilcoxon, p")  # fmt: skip
    head = tag("tr", [tag("th", words, class_=None if i == 0 else "n") for i, words in enumerate(titles)])
    several = len({repeat.model for repeat in found.repeats}) > 1
    body = [tag("tr", _line(repeat, titles, several)) for repeat in found.repeats]
    lead = (
        "The same recipe with other seeds, which change the draw of calibration images and learning. Tested "
        "in pairs of one seed against the recipe with the best mean of the same model; p of the t-test has "
        f"Holm's correction for all of them, {DIFFERENT} where it is below {LEVEL:g}. The spread is that of "
        "the method; the intervals of the other tables are those of the images."
    )
    table = tag("table", tag("thead", head), tag("tbody", body), class_="cards", id="seeds")
    return [tag("h3", "Over several trials"), tag("p", lead, class_="lead"),
            tag("div", table, class_="scroll tall" if len(body) > LONG else "scroll")]  # fmt: skip


def _line(repeat: Repeat, titles: tuple[str, ...], several: bool) -> list[Html]:
    """One recipe; several: models, whose label then stands before it."""
    tests = repeat.tests
    difference = DASH if tests is None else number(100 * tests.difference.mean, 2)
    values = [
        number(repeat.spread.n, 0),
        f"{repeat.spread.mean:.4f} \u00b1 {repeat.spread.std:.4f}",
        difference,
        DASH if tests is None else _marked(repeat.corrected),
        DASH if tests is None else _p(tests.wilcoxon),
    ]
    cells = [tag("td", v, class_="n", data_label=t) for v, t in zip(values, titles[1:], strict=True)]
    return [tag("td", f"{repeat.model} {repeat.label}" if several else repeat.label, class_="recipe"), *cells]


def _marked(p_value: float) -> str:
    mark = "" if p_value != p_value else f" {DIFFERENT if p_value < LEVEL else SAME}"
    return f"{_p(p_value)}{mark}"


def _p(p_value: float) -> str:
    return DASH if p_value != p_value else f"{p_value:.3f}"
