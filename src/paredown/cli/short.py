"""Which candidate for which priority, in a few lines on a terminal: for `run`, `study` and `report`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from paredown._report.in_words import in_short
from paredown._report.several.stories import candidates_of, priorities_over
from paredown.analyze.against_float import baseline_of
from paredown.analyze.priorities import priorities
from paredown.analyze.selection import candidates
from paredown.job import asked_in, judge
from paredown.metrics import headlines
from paredown.report_data import read_stories
from paredown.study.evidence import read_kept
from paredown.study.index import is_index
from paredown.study.store import read_trials


def short_lines(
    directory: Path, fps: float | None = None, weights: Mapping[str, float] | None = None
) -> list[str]:
    """Guideline, frame rate and what is told apart, of a study of one model or several; empty where there are
    not two candidates."""
    if is_index(directory):
        stories = read_stories(directory, fps=fps, weights=weights)
        given = candidates_of(stories)
        return in_short(priorities_over(stories, given), stories.metric) if len(given) > 1 else []
    if baseline_of(read_trials(directory)) is None:  # it has only begun
        return []
    trials, verdict = judge(directory)
    asked = asked_in(directory)
    given = candidates({"": (trials, verdict.baseline)})
    if len(given) < 2:
        return []
    measured = verdict.baseline.measurement
    metric = next(n for n in headlines() if measured is not None and measured.get(n) is not None)
    by_key = read_kept(directory, trials)
    found = priorities(
        given,
        {c.name: by_key[c.trial.key] for c in given if c.trial.key in by_key},
        allowed=asked.limits.allowed(metric),
        weights=weights or None,
        fps=asked.options.fps if fps is None else fps,
        recommended=verdict.best.label,
    )
    return in_short(found, metric)
