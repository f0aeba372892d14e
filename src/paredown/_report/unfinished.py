"""What a page says first of a study that has not come to its end."""

from __future__ import annotations

from paredown._report.format import number, plural
from paredown._report.html import Html, tag
from paredown._report.several.stories import Stories
from paredown._report.story import Story

_MAY_CHANGE = "What this page says may change."


def banner(story: Story) -> Html | None:
    """ "Unfinished: 3 of 8 recipes finished." and what is still to come; None for a finished study."""
    return _box(words(story))


def banner_over(stories: Stories) -> Html | None:
    """The same of a study of several models: how many parts are finished, and how far the others are."""
    return _box(words_over(stories))


def words(story: Story) -> list[str]:
    """The same in plain sentences; empty for a finished study."""
    if story.finished:
        return []
    lines = [f"Unfinished study: {_so_far(story)}."]
    if story.to_come:
        lines.append(f"Still to come: {', '.join(story.to_come)}. {_MAY_CHANGE}")
    return lines


def words_over(stories: Stories) -> list[str]:
    """The same of a study of several models."""
    entries = stories.index.entries
    if stories.index.finished:
        return []
    done = [e for e in entries if e.state == "finished"]
    begun = [e for e in entries if e.state == "running"]
    waiting = [e.label for e in entries if e.state == "waiting"]
    lines = [f"Unfinished study: {len(done)} of {plural(len(entries), 'part')} finished. {_MAY_CHANGE}"]
    for entry in begun:
        story = stories.parts.get(entry.label)
        so_far = "" if story is None else f" {_so_far(story)}"
        to_come = () if story is None else story.to_come
        still = f"; still to come: {', '.join(to_come)}" if to_come else ""
        lines.append(f"{entry.label}:{so_far or ' begun'}{still}.")
    return [*lines, *([f"Not begun: {', '.join(waiting)}."] if waiting else [])]


def _so_far(story: Story) -> str:
    """ "3 of 8 recipes finished; 1 failed"."""
    tried = [t for t in story.trials if t.label != "float"]
    failed = sum(t.error is not None for t in tried)
    total = len(tried) + len(story.to_come)
    parts = [f"{number(len(tried) - failed, 0)} of {plural(total, 'recipe')} finished"]
    parts += [f"{number(failed, 0)} failed"] if failed else []
    if not any(t.label == "float" for t in story.trials):
        parts.append("the float model has not been measured yet")
    return "; ".join(parts)


def _box(lines: list[str]) -> Html | None:
    if not lines:
        return None
    first, colon, rest = lines[0].partition(": ")
    said = [tag("p", tag("b", first + colon), rest), *(tag("p", line) for line in lines[1:])]
    return tag("div", said, class_="unfinished", role="status")
