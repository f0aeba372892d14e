"""The noun `Stories`: a study of several models as its page says it, and what is gathered from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from paredown._report.evidence import Role, Row
from paredown._report.story import Story
from paredown.analyze.against_float import baseline_of
from paredown.analyze.kept import Kept
from paredown.analyze.priorities import Priorities, priorities
from paredown.analyze.selection import Candidate, candidates
from paredown.measurement import Trial
from paredown.study.index import Entry, Index


@dataclass(frozen=True)
class Stories:
    """One study of several models, read. parts: the story of every part that has begun, by its label.

    fps, weights: as of `Story`, for the page over all.
    """

    index: Index
    parts: Mapping[str, Story]
    fps: float | None = None
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def metric(self) -> str:
        """The metric that most parts are judged by."""
        counted = Counter(story.metric for story in self.parts.values())
        return counted.most_common(1)[0][0] if counted else ""

    @property
    def firsts(self) -> dict[str, Story]:
        """The parts of the first seed that are judged by the metric, by label."""
        first = {e.label for e in self.index.entries if e.seed == self._first_seed(e)}
        return {label: s for label, s in self.parts.items() if label in first and s.metric == self.metric}

    @property
    def ranked(self) -> dict[str, Story]:
        """Those of `firsts` that were judged on the same images, as most were: only they compare."""
        counted = Counter(_judged_on(story) for story in self.firsts.values())
        images = counted.most_common(1)[0][0] if counted else None
        return {label: story for label, story in self.firsts.items() if _judged_on(story) == images}

    @property
    def apart(self) -> tuple[str, ...]:
        """Why parts with figures are not ranked with the others, a sentence for each reason."""
        others = [label for label, s in self.parts.items() if s.metric != self.metric]
        elsewhere = [label for label in self.firsts if label not in self.ranked]
        found = [f"Judged by another metric, and not ranked with the others: {', '.join(others)}."]
        found += [f"Judged on other images, and not ranked with the others: {', '.join(elsewhere)}."]
        return tuple(text for text, of in zip(found, (others, elsewhere), strict=True) if of)

    def _first_seed(self, entry: Entry) -> int:
        return self.index.repeats(entry)[0].seed

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Of all parts."""
        return tuple(t for story in self.parts.values() for t in story.trials)


def _judged_on(story: Story) -> tuple[str, tuple[str, ...]]:
    """What two parts share whose accuracies compare: the images, and the classes that count on them."""
    data = story.dataset
    return data.digest or f"{data.images} images of {data.name}", data.judged_classes


def candidates_of(stories: Stories) -> tuple[Candidate, ...]:
    """Every judged trial of the ranked parts, named by part and label."""
    of_parts = {label: (s.trials, baseline_of(s.trials)) for label, s in stories.ranked.items()}
    return candidates(of_parts, several=len({(e.model, e.place) for e in stories.index.entries}) > 1)


def part_of(stories: Stories, candidate: Candidate) -> str:
    """The label of the part that a candidate is of."""
    return next(label for label, s in stories.ranked.items() if any(t is candidate.trial for t in s.trials))


def kept_of(stories: Stories, given: tuple[Candidate, ...]) -> dict[str, Kept]:
    """What was kept of the candidates, by their names."""
    found = {}
    for candidate in given:
        kept = stories.parts[part_of(stories, candidate)].kept
        if candidate.trial.key in kept:
            found[candidate.name] = kept[candidate.trial.key]
    return found


def priorities_over(stories: Stories, given: tuple[Candidate, ...]) -> Priorities:
    """Over all parts; what was tried with several seeds is taken from all of them."""
    first = next(iter(stories.ranked.values()), None)
    allowed = None if first is None else first.limits.allowed(stories.metric)
    return priorities(
        given,
        kept_of(stories, given),
        allowed=allowed,
        weights=stories.weights or None,
        fps=stories.fps,
        repeated=_repeated(stories),
    )


def _repeated(stories: Stories) -> dict[str, list[Trial]]:
    """Trials of all seeds, of parts judged by the metric, by the label of the first seed."""
    found: dict[str, list[Trial]] = {}
    for entry in stories.index.entries:
        story = stories.parts.get(entry.label)
        if story is not None and story.metric == stories.metric:
            found.setdefault(stories.index.repeats(entry)[0].label, []).extend(story.trials)
    return found


def rows_of(found: Priorities, given: tuple[Candidate, ...]) -> tuple[Row, ...]:
    """The candidates as the plots of one model take them, the best ranked first, those left out last."""
    order = [c.name for c in found.selection.ranked]
    place = {name: i for i, name in enumerate(order)}
    ordered = sorted(given, key=lambda c: place.get(c.name, len(place)))
    return tuple(Row(replace(c.trial, label=c.name), _role(found, c), "", c.baseline) for c in ordered)


def _role(found: Priorities, candidate: Candidate) -> Role:
    if candidate.name == found.reference:
        return "recommended"
    return "float" if candidate.is_float else "plain"
