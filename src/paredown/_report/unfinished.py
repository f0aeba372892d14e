"""What a page says first of a study that has not come to its end."""

from __future__ import annotations

from paredown._report.format import number, plural
from paredown._report.html import Html, tag
from paredown._report.story import Story


def banner(story: Story) -> Html | None:
    """ "Unfinished: 3 of 8 recipes finished." and what is still to come; None for a finished study."""
    if story.finished:
        return None
    tried = [t for t in story.trials if t.label != "float"]
    failed = sum(t.error is not None for t in tried)
    total = len(tried) + len(story.to_come)
    parts = [f"{number(len(tried) - failed, 0)} of {plural(total, 'recipe')} finished"]
    parts += [f"{number(failed, 0)} failed"] if failed else []
    if not any(t.label == "float" for t in story.trials):
        parts.append("the float model has not been measured yet")
    lines = [tag("p", tag("b", "Unfinished study: "), "; ".join(parts) + ".")]
    if story.to_come:
        lines.append(tag("p", f"Still to come: {', '.join(story.to_come)}. What this page says may change."))
    return tag("div", lines, class_="unfinished", role="status")
