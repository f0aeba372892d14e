"""The noun `Priorities`: which of several candidates for which priority, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from paredown.analyze.guideline import BALANCED, Advice, guideline
from paredown.analyze.kept import Kept
from paredown.analyze.pairs import Beside, all_beside
from paredown.analyze.real_time import RealTime, real_time
from paredown.analyze.repeats import Repeat, repeats
from paredown.analyze.selection import Candidate, Selection, select
from paredown.measurement import Trial


@dataclass(frozen=True)
class Priorities:
    """What a page says of candidates beside each other.

    reference: name of the candidate that the others stand beside, "" where there is none. beside: what each
    loses to it, by name, of those judged on the same images. rates: at the user's frame rate, by name.
    repeats: recipes tried with several seeds.
    """

    selection: Selection
    advice: tuple[Advice, ...] = ()
    reference: str = ""
    beside: Mapping[str, Beside] = field(default_factory=dict)
    fps: float | None = None
    rates: Mapping[str, RealTime] = field(default_factory=dict)
    repeats: tuple[Repeat, ...] = ()

    def same(self, name: str) -> bool:
        """Whether a candidate's accuracy is not told apart from that of the reference."""
        found = self.beside.get(name)
        return found is not None and found.same


def priorities(
    given: Sequence[Candidate],
    kept: Mapping[str, Kept],
    *,
    allowed: float | None = None,
    weights: Mapping[str, float] | None = None,
    fps: float | None = None,
    recommended: str = "",
    repeated: Mapping[str, Sequence[Trial]] | None = None,
) -> Priorities:
    """All that is derived from the candidates by stated rules.

    kept: by name of the candidate. allowed: points that a candidate may lose against its float model.
    weights: objective -> share. recommended: name of the verdict's best; "" for the balanced one.
    repeated: trials of all seeds by the label of their model; None for those of the candidates.
    """
    selection = select(given, weights)
    advice = guideline(selection, allowed)
    names = [c.name for c in given]
    balanced = [a.candidate.name for a in advice if a.priority == BALANCED]
    first = (balanced or [c.name for c in selection.ranked] or [""])[0]
    reference = recommended if recommended in names else first
    beside = {}
    if reference in kept:
        others = {c.name: kept[c.name] for c in given if c.name in kept and c.name != reference}
        beside = all_beside(kept[reference], others)
    rates = {} if fps is None else {c.name: r for c in given if (r := real_time(c, fps)) is not None}
    return Priorities(
        selection=selection,
        advice=advice,
        reference=reference,
        beside=beside,
        fps=fps,
        rates=rates,
        repeats=repeats({"": [c.trial for c in given]} if repeated is None else repeated),
    )
