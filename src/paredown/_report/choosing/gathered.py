"""`Priorities` of the trials that a page is about."""

from __future__ import annotations

from paredown._report.story import Story
from paredown.analyze.against_float import baseline_of
from paredown.analyze.priorities import Priorities, priorities
from paredown.analyze.selection import candidates


def priorities_of(story: Story) -> Priorities:
    """Of one study: its trials beside its recommended model."""
    given = candidates({story.model.name: (story.trials, baseline_of(story.trials))})
    best = next((t.label for t in story.trials if t.key == story.best), "")
    kept = {c.name: story.kept[c.trial.key] for c in given if c.trial.key in story.kept}
    return priorities(
        given,
        kept,
        allowed=story.limits.allowed(story.metric),
        weights=story.weights or None,
        fps=story.fps,
        recommended=best,
    )
