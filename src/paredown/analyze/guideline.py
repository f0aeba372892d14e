"""Which candidate for which priority, by rules that are stated beside the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paredown.agreement import is_agreement
from paredown.analyze.selection import ACCURACY, Candidate, Selection
from paredown.measurement import Quantity

BALANCED = "balanced"
MAKING = ("compress",)  # of `Trial.seconds`: what is spent on making a model, and not on measuring it


@dataclass(frozen=True)
class Advice:
    """One line of the guideline. rule: how it was found. found: the figure that decided."""

    priority: str
    rule: str
    candidate: Candidate
    found: Quantity


def guideline(selection: Selection, allowed: float | None = None) -> tuple[Advice, ...]:
    """A line for each priority that the trials can answer, in the order in which they are asked for.

    allowed: points that a candidate may lose against its own float model; one that loses more is fast for
    nothing. It does not bind "most accurate". None: no limit.
    """
    able = [(i, c) for i, c in enumerate(selection.candidates) if allowed is None or c.lost <= allowed]
    within = "" if allowed is None else _within(selection, allowed)
    made = [(i, c) for i, c in able if making_seconds(c) is not None]
    lines = [
        _least("fastest", f"least latency{within}", "latency_s", able),
        _balanced(selection, within, able),
        _most_accurate(selection),
        _least("least energy", f"least energy of an inference{within}", "energy_j", able),
        _least("smallest", f"smallest file{within}", "size_bytes", able),
        _by(
            "quickest to make",
            f"least time to make a compressed model{within}",
            made,
            lambda i, c: making_seconds(c),
        ),
    ]
    return tuple(line for line in lines if line is not None)


def making_seconds(candidate: Candidate) -> Quantity | None:
    """How long the model took to make; None for float models, and where it was not kept."""
    seconds = sum(candidate.trial.seconds.get(part, 0.0) for part in MAKING)
    return Quantity("making_s", seconds, "s", "lower") if seconds > 0 else None


def _within(selection: Selection, allowed: float) -> str:
    """The limit in words, as it is asked for: points of a metric, or per cent of agreement."""
    if _agreement(selection):
        return f", of those that agree at least {100 - allowed:g} %"
    return f", of those that lose at most {allowed:g} point{'' if allowed == 1 else 's'}"


def _agreement(selection: Selection) -> bool:
    """Whether there is no truth, and candidates are judged by how far they say what float says."""
    judged = (c.get(ACCURACY) for c in selection.candidates)
    return any(q is not None and is_agreement(q.name) for q in judged)


Indexed = Sequence[tuple[int, Candidate]]


def _least(priority: str, rule: str, objective: str, able: Indexed) -> Advice | None:
    return _by(priority, rule, able, lambda i, c: c.get(objective))


def _balanced(selection: Selection, within: str, able: Indexed) -> Advice | None:
    rule = f"best mean of the objectives, each from 0 (worst) to 1 (best), all of one weight{within}"
    even = [sum(line) / len(line) for line in selection.scaled]
    return _by(BALANCED, rule, able, lambda i, c: Quantity("balance", even[i], "", "higher"))


def _most_accurate(selection: Selection) -> Advice | None:
    every = [*enumerate(selection.candidates)]
    if _agreement(selection):
        others = [(i, c) for i, c in every if not c.is_float]
        rule = "highest agreement with the float model"
        return _by("most like float", rule, others, lambda i, c: c.get(ACCURACY))
    return _by("most accurate", "highest accuracy", every, lambda i, c: c.get(ACCURACY))


def _by(
    priority: str, rule: str, able: Indexed, value: Callable[[int, Candidate], Quantity | None]
) -> Advice | None:
    """The best by a quantity; the first of equals."""
    found = [(q, c) for i, c in able if (q := value(i, c)) is not None]
    if not found:
        return None
    sign = -1.0 if found[0][0].better == "higher" else 1.0
    best, candidate = min(found, key=lambda pair: sign * pair[0].value)
    return Advice(priority, rule, candidate, best)
