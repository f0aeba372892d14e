"""The recipes that a search may propose, as a small grammar of names.

A scheme is the name of a recipe with slots in it, a slot is a list of the words that may stand there. A new
step is a line in SLOTS, or in REQUESTED, and its slot in the schemes that take it; a new scheme is a line in
SCHEMES.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import groupby, product

from paredown._compress.mixed.mix import Mixed
from paredown._compress.recipe import Recipe, Step
from paredown.policy import Policy

SLOTS: dict[str, tuple[str, ...]] = {
    "pruning": ("",),
    "equalize": ("", "cle+", "cle+gates+"),
    "leveling": ("", "cle+"),  # where activations have no grid of their own
    "scales": ("-pc", "-pt"),
    "ranges": ("-mse", "-minmax", "-ema", "-percentile", "-entropy"),
    "guard": ("", "-guard", "-guard-timed"),
    "layers": ("", "-keep5", "-all"),
    "rounding": ("", "+gptq"),
    "bias": ("", "+bc"),
    "learning": ("",),
    "mixed": (),
    "codebook": ("", "+cluster"),
}
"""Slot -> the words that may stand in it. "" leaves it empty; a scheme with a wordless slot is not there."""

REQUESTED: dict[str, str] = {
    "prune": "pruning",
    "sparse": "pruning",
    "distill": "pruning",
    "adaround": "rounding",
    "qat": "learning",
    Mixed.kind: "mixed",
}
"""Steps that take minutes, or change what the model is: kind -> its slot. They are in the space as the named
recipes spell them, neighbours of one slot together ("prune30+distill"), and else not."""

SPELLED = {"pruning": "{}+", "rounding": "+{}", "learning": "+{}", "mixed": "{}"}
NEEDS_TORCH = ("distill", "adaround", "qat")
MIXED_SHARES = (1.0, 0.5, 0.25)  # of the loss that a named `mixed` may spend

_BEFORE = "{pruning}{equalize}"
_BEFORE_FLOAT = "{pruning}{leveling}"
_STATIC = "{scales}{ranges}{guard}"
_AFTER = "{rounding}{bias}{learning}"
SCHEMES: dict[str, str] = {
    "int8": _BEFORE + "w8a8" + _STATIC + _AFTER + "{codebook}",
    "int4": _BEFORE + "w4a8" + _STATIC + "{layers}" + _AFTER + "+pack",
    "int2": _BEFORE + "w2a8" + _STATIC + "{layers}" + _AFTER + "+pack",
    "mixed": _BEFORE + "{mixed}",
    "dynamic": _BEFORE_FLOAT + "dynamic",
    "stored-int8": _BEFORE_FLOAT + "w8{scales}",
    "stored-codebook": _BEFORE_FLOAT + "cluster",
}
"""Scheme -> the pattern of its recipes' names, spelled as `Recipe.name` spells them."""

FLOAT_SCHEMES = ("stored-int8", "stored-codebook")  # those that compute in float, which every device can

Choose = Callable[[str, tuple[str, ...]], str]
"""choose(slot, its words) -> one of the words."""


@dataclass(frozen=True)
class Space:
    """Every recipe that the schemes and slots spell."""

    schemes: Mapping[str, str]
    slots: Mapping[str, tuple[str, ...]]

    def spell(self, choose: Choose) -> str:
        """The name of a recipe, built by choosing a scheme and then a word for each of its slots."""
        pattern = self.schemes[choose("scheme", tuple(self.schemes))]
        return pattern.format_map({slot: choose(slot, self.slots[slot]) for slot in _slots(pattern)})

    def choices(self, name: str) -> dict[str, str] | None:
        """The choices that spell this name; None where it does not lie in the space."""
        for scheme, pattern in self.schemes.items():
            groups = {
                slot: f"(?P<{slot}>{'|'.join(map(re.escape, self.slots[slot]))})" for slot in _slots(pattern)
            }
            literal = "".join(groups[p[1:-1]] if p[0] == "{" else re.escape(p) for p in _parts(pattern))
            if found := re.fullmatch(literal, name):
                return {"scheme": scheme, **found.groupdict()}
        return None

    def names(self) -> Iterator[str]:
        """Every name, in a fixed order."""
        for pattern in self.schemes.values():
            slots = _slots(pattern)
            for words in product(*(self.slots[slot] for slot in slots)):
                yield pattern.format_map(dict(zip(slots, words, strict=True)))


def space_for(policy: Policy, named: Iterable[Recipe]) -> Space:
    """The space of a policy: without what it cannot compute, with what `named` asks for."""
    slots, schemes = dict(SLOTS), dict(SCHEMES)
    if policy.activations != "uint8" or policy.weights != "int8":
        schemes = {name: schemes[name] for name in FLOAT_SCHEMES}
    elif not policy.per_channel:
        slots["scales"] = ("-pt",)
        del schemes["dynamic"], schemes["mixed"]  # their weights have a scale per channel
    absent = NEEDS_TORCH if find_spec("torch") is None else ()
    for recipe in named:
        for slot, run in groupby(
            recipe.steps, lambda s: "" if s.kind in absent else REQUESTED.get(s.kind, "")
        ):
            for steps in product(*map(_variants, run)) if slot else ():
                words = SPELLED[slot].format("+".join(step.name for step in steps))
                slots[slot] = tuple(dict.fromkeys((*slots[slot], words)))
    filled = {name: pattern for name, pattern in schemes.items() if all(map(slots.get, _slots(pattern)))}
    return Space(filled, slots)


def _variants(step: Step) -> tuple[Step, ...]:
    """The step, and what is worth trying beside it."""
    if isinstance(step, Mixed):
        return tuple(replace(step, drop=round(share * step.drop, 4)) for share in MIXED_SHARES)
    return (step,)


def _parts(pattern: str) -> list[str]:
    """The pattern cut into slots ("{bias}") and what stands between."""
    return [part for part in re.split(r"(\{\w+\})", pattern) if part]


def _slots(pattern: str) -> list[str]:
    return [part[1:-1] for part in _parts(pattern) if part[0] == "{"]
