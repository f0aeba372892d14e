"""A study in plain text: what a terminal shows of it in short, and summary.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from paredown._report.choosing.gathered import priorities_of
from paredown._report.choosing.section import figure_of, rate_words, unfit_words
from paredown._report.format import shown, told
from paredown._report.several.stories import Stories, candidates_of, priorities_over
from paredown._report.story import Story
from paredown._report.unfinished import words, words_over
from paredown.agreement import is_agreement
from paredown.analyze.against_float import accuracy_of, compared, points_lost, rounded
from paredown.analyze.doubts import summed_up
from paredown.analyze.pairs import sentence
from paredown.analyze.priorities import Priorities
from paredown.analyze.selection import title
from paredown.measurement import Trial
from paredown.metrics import title_of
from paredown.printable import printable
from paredown.study.index import Entry

NEAREST = 3  # candidates that a summary sets beside the recommended one, the best ranked first


def in_short(found: Priorities, metric: str) -> list[str]:
    """A line for each priority, and for each of the next best whether it can be told apart."""
    lines = [f"{advice.priority}: {advice.candidate.name} ({figure_of(advice)})" for advice in found.advice]
    if words := rate_words(found, found.reference):
        lines.append(f"at {found.fps:g} frames per second, {found.reference}: {words}")
    return [*lines, *filter(None, [unfit_words(found)]), *told_apart(found, metric)]


def told_apart(found: Priorities, metric: str) -> list[str]:
    """A sentence for each of the next best candidates beside the reference."""
    near = [c.name for c in found.selection.ranked if c.name in found.beside][:NEAREST]
    return [sentence(name, found.reference, found.beside[name], metric) for name in near]


def summary_md(story: Story) -> str:
    """The study as a page of Markdown: recommendation, trials, guideline, ranking, doubts."""
    found = priorities_of(story)
    verdict = story.verdict
    parts = [f"# {_text(story.title)}", *map(_text, words(story))]
    if verdict is None:
        parts.append("The float model has not been measured yet.")
    else:
        parts += [f"**{_text(verdict.headline)}**", _bullets(verdict.reasons)]
    parts += ["## Trials", _trials(story)]
    if found.advice:
        parts += ["## Which for what", _guideline(found), "## Ranking", _ranking(found, story.metric)]
    if apart := told_apart(found, story.metric):
        parts += ["## How sure", _bullets(apart)]
    if doubts := [*story.doubts, *summed_up(story.trials)]:
        parts += ["## Doubts", _bullets(doubts)]
    parts += ["## Run it again", f"```\n{story.command}\n```"]
    return "\n\n".join(parts) + "\n"


def several_md(stories: Stories) -> str:
    """A study of several models as a page of Markdown."""
    given = candidates_of(stories)
    found, metric = priorities_over(stories, given), stories.metric
    index = stories.index
    parts = [f"# {_text(index.title)}", *([_text(index.about)] if index.about else [])]
    parts += [_bullets(unfinished)] if (unfinished := words_over(stories)) else []
    parts += ["## Verdicts", table(("part", "verdict"), [_verdict(stories, e) for e in index.entries])]
    if found.advice:
        parts += ["## Which for what", _guideline(found), "## Ranking", _ranking(found, metric)]
    if apart := told_apart(found, metric):
        parts += ["## How sure", _bullets(apart)]
    if doubts := [*stories.apart, *summed_up(stories.trials)]:
        parts += ["## Doubts", _bullets(doubts)]
    return "\n\n".join(parts) + "\n"


def _verdict(stories: Stories, entry: Entry) -> list[str]:
    story = stories.parts.get(entry.label)
    verdict = None if story is None else story.verdict
    if story is None or verdict is None:
        return [entry.label, f"{entry.state}{f': {entry.why}' if entry.why else ''}"]
    return [entry.label, verdict.headline if story.finished else f"so far: {verdict.headline}"]


def _trials(story: Story) -> str:
    agreement = is_agreement(story.metric)
    heads = ["recipe", title_of(story.metric), *([] if agreement else ["points lost"]), "latency", "size", ""]
    remarks = {} if story.verdict is None else story.verdict.remarks
    return table(heads, [_trial(t, story, agreement, remarks.get(t.key, "")) for t in story.trials])


def _trial(trial: Trial, story: Story, agreement: bool, remark: str) -> list[str]:
    baseline = None if story.verdict is None else story.verdict.baseline
    accuracy, lost = accuracy_of(trial), points_lost(trial, baseline)
    line = [trial.label, "" if accuracy is None else shown(accuracy)]
    if not agreement:
        line.append("" if lost is None else f"{rounded(lost.value):.2f}")
    for name in ("latency_s", "size_bytes"):
        quantity = compared(trial, baseline, name)
        line.append("" if quantity is None else told(quantity))
    return [*line, remark if trial.error is None else f"failed: {trial.error.splitlines()[0]}"]


def _guideline(found: Priorities) -> str:
    heads = ("if you want", "take", "for", "rule")
    rows = [[a.priority, a.candidate.name, figure_of(a), a.rule] for a in found.advice]
    return "\n\n".join(filter(None, [table(heads, rows), unfit_words(found)]))


def _ranking(found: Priorities, metric: str) -> str:
    selection = found.selection
    names = [title_of(metric) if name == "accuracy" else title(name) for name in selection.objectives]
    heads = [
        "",
        "candidate",
        "score",
        "wins",
        *names,
        *([f"less than {found.reference}"] * bool(found.beside)),
    ]
    rows = []
    for place, index in enumerate(selection.ranking.order):
        candidate, beside = selection.candidates[index], found.beside.get(selection.candidates[index].name)
        figures = ["" if q is None else told(q) for q in map(candidate.get, selection.objectives)]
        line = [str(place + 1), candidate.name + (" *" if index in selection.front else "")]
        line += [f"{selection.ranking.scores[index]:.2f}", f"{100 * selection.ranking.shares[index]:.0f} %"]
        lost = "" if beside is None else f"{beside.lost:.2f} {'≈' if beside.same else '≠'}"
        rows.append([*line, *figures, *([lost] if found.beside else [])])
    note = "\n\n\\* on the Pareto front; wins: the share of all weightings under which it is the best."
    if found.beside:
        note += " ≈: not told apart on these images."
    return table(heads, rows) + note


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown; bars and line feeds in cells are escaped."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(value) for value in line)} |" for line in lines)


def _cell(value: str) -> str:
    return _text(value).replace("|", "\\|")


def _text(value: str) -> str:
    return printable(value).replace("<", "&lt;")


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {_text(line)}" for line in lines)
