"""The doubts of all trials of a study in a few sentences, the worst first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from paredown.analyze.against_float import UNJUDGED
from paredown.measurement import Doubt, Quantity, Trial

# kind -> what it means for a study, said once for all trials that have it. The order is that of harm.
SAID = {
    "gain": "The float model is probably read or fed wrongly: a compressed one did better",
    "throttled": "The processor was slowed down by heat or power",
    "busy": "The machine was busy with other work",
    "withheld": "The host of this virtual machine withheld processor time",
    "spread": "The rounds of a timing differed widely",
    "rough": "The latency ratio is only roughly known",
    "drift": "A model became slower or faster while it was timed",
    "governor": "The clock rate was free to vary",
    "target": "The device and the model do not fit",
    "untimed": "A model was not timed",
    "quick": "A model was timed in a few short rounds only",
}
GAIN = 2.0  # points: of thirty recipes one or two gain less by chance, and a noisy rounding can
ALL = ("governor", "target")  # one fact of the machine: its text is the whole sentence


def gain_doubts(found: Iterable[Quantity]) -> tuple[Doubt, ...]:
    """The doubt where a model does better than float by GAIN points and by more than chance.

    Compression has nothing to teach a model. Where it helps, the float model's answers are read wrongly, or
    nothing takes out the doubles among them, or its input is not what it was trained on.
    """
    drops = [q for q in found if q.name.endswith("_drop") and q.high is not None and q.high < 0]
    return tuple(
        Doubt("gain", f"{-q.value:.1f} points gained ({-q.high:.1f} .. {-q.low:.1f})", -q.value)
        for q in drops
        if q.value <= -GAIN and q.low is not None and q.high is not None
    )


def summed_up(trials: Sequence[Trial]) -> tuple[str, ...]:
    """One sentence for each kind of doubt: in how many trials, and the worst of them."""
    measured = [t for t in trials if t.measurement is not None]
    by_kind: dict[str, dict[str, Doubt]] = {}
    for trial in measured:
        doubts = () if trial.measurement is None else trial.measurement.doubts
        for doubt in (d for d in doubts if d.kind != UNJUDGED):  # a choice, told where choices are
            kept = by_kind.setdefault(doubt.kind, {})
            if trial.label not in kept or doubt.size > kept[trial.label].size:
                kept[trial.label] = doubt
    order = [*SAID]

    def harm(kind: str) -> tuple[bool, int, int]:
        unfit = any(d.unfit for d in by_kind[kind].values())
        return not unfit, order.index(kind) if kind in order else len(order), -len(by_kind[kind])

    return tuple(_sentence(kind, by_kind[kind], len(measured)) for kind in sorted(by_kind, key=harm))


def _sentence(kind: str, found: dict[str, Doubt], trials: int) -> str:
    """ "The machine was busy with other work in 7 of 9 trials (worst, int8: other processes used 1.2 of 4
    cores meanwhile). No claim about speed is made for 2 of them." """
    label, worst = max(found.items(), key=lambda pair: (pair[1].unfit, pair[1].size))
    where = f"in {len(found)} of {trials} trials" if len(found) < trials else "in every trial"
    if kind in SAID and kind not in ALL:
        which = f"worst, {label}: " if len(found) > 1 else f"{label}: "
        text = f"{SAID[kind]} {where} ({which}{worst.text})."
    else:
        text = f"{worst.text[:1].upper()}{worst.text[1:]} ({where})."
    unfit = sum(d.unfit for d in found.values())
    if not unfit:
        return text
    whose = "them" if unfit == len(found) > 1 else "it" if len(found) == 1 else f"{unfit} of them"
    return f"{text} No claim about speed is made for {whose}."
