"""The nouns `Step`, `Recipe`, `Compressed`. A recipe's name is derived from its steps and parses back.

They stand on this shelf and not with the other nouns because parsing a name needs the table of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, get_args, get_type_hints

import numpy as np

from paredown._compress.kept import Kept
from paredown.device import Device
from paredown.errors import MissingDependency, UsageError
from paredown.measurement import StepRecord
from paredown.model import Model
from paredown.policy import Policy, possible_instead
from paredown.protocols import Feeds, FeedSource, Judge, Progress, TimeNodes, silent

if TYPE_CHECKING:
    from paredown._compress.draft import Draft


Stage = Literal[
    "float",
    "pruned",
    "half",
    "codebooks",
    "stored",
    "integers",
    "few bits",
    "signs",
    "dynamic",
    "foreign",
    "packed",
]
"""What steps have made of the graph so far; order.py says how each looks."""

FLOAT_WEIGHTS: frozenset[Stage] = frozenset({"float", "pruned"})
IN_INTEGERS: frozenset[Stage] = frozenset({"integers", "few bits"})


@dataclass(frozen=True)
class Bounds:
    """Limits that a step may choose by; None: not asked for.

    drop: points of accuracy that may be lost. agreement: per cent of agreement with the float model.
    """

    drop: float | None = None
    latency_s: float | None = None
    size_bytes: float | None = None
    agreement: float | None = None


@dataclass(frozen=True)
class Step:
    """Base of every frozen setting. `kind` starts the step's name, its field values follow, joined by "-".

    A field is a Literal of words, each word belonging to one field only (always spelled; "" is the silent
    word), or a number spelled behind its field's name ("k16") where it differs from the default. The number
    field named by `amount` is always spelled, right behind the kind: "prune30".

    requires: the stages of a graph at which the step can work. comes_behind: kinds of steps that bring a
    graph there, in words. integers: whether it is about integer kernels of the runtime.
    """

    kind: ClassVar[str]
    summary: ClassVar[str]
    amount: ClassVar[str] = ""
    requires: ClassVar[frozenset[Stage]] = FLOAT_WEIGHTS
    comes_behind: ClassVar[str] = ""
    integers: ClassVar[bool] = False

    def provides(self, stage: Stage) -> Stage:
        """The stage that the step leaves, `stage` being the one it found."""
        return stage

    def check_policy(self, policy: Policy) -> None:
        """Nothing, or UsageError where the runtime has nothing that the step could mean there."""
        if self.integers and not policy.kernel:
            raise UsageError(
                f"{policy.name} computes nothing in integers", got=self.name, hint=possible_instead(policy)
            )

    def limited(self, bounds: Bounds) -> Self:
        """The step under these bounds: itself, unless it chooses by bounds and names none of its own."""
        return self

    def takes(self, bounds: Bounds) -> bool:
        """True where it chooses by bounds, and under these by just these."""
        return False

    @property
    def learns(self) -> bool:
        """True where it reads `Context.learn_from`."""
        return False

    @property
    def packages(self) -> tuple[str, ...]:
        """Optional packages that it needs, as they are imported."""
        return ()

    @property
    def name(self) -> str:
        words = [self.kind + (_digits(getattr(self, self.amount)) if self.amount else "")]
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, str):
                words += [value] if value else []
            elif value != f.default and f.name != self.amount:
                words.append(f"{f.name}{_digits(value)}")
        return "-".join(words)

    @classmethod
    def parse(cls, words: Sequence[str]) -> Self:
        """The step from the words behind its kind. Raises UsageError on a word no field takes."""
        hints = get_type_hints(cls)
        taken: dict[str, Any] = {}
        for word in words:
            name, value = cls._match(word, hints)
            if name in taken:
                raise UsageError(f"step {cls.kind!r} sets {name!r} twice", got="-".join([cls.kind, *words]))
            taken[name] = value
        return cls(**taken)

    @classmethod
    def _match(cls, word: str, hints: dict[str, Any]) -> tuple[str, Any]:
        known: list[str] = []
        for f in fields(cls):
            choices = get_args(hints[f.name])
            if choices:
                known += [c for c in choices if c]
                if word and word in choices:
                    return f.name, word
            else:
                known.append(f"{f.name}<number>")
                if word.startswith(f.name):
                    try:
                        return f.name, hints[f.name](word[len(f.name) :])
                    except ValueError:
                        continue
        raise UsageError(
            f"step {cls.kind!r} does not know the word {word!r}",
            expected=", ".join(known) or "no words at all",
        )


def _digits(value: float) -> str:
    """The shortest digits that parse back, never an exponent: "-" and "+" part words and steps."""
    return np.format_float_positional(value, trim="-")


@dataclass(frozen=True)
class Context:
    """All that a step may use besides the graph it rewrites.

    source: the prepared float model, before the first step. images: calibration inputs, restartable.
    device: what the result must run on. policy: what the runtime there computes in integers.
    keep_float: node names the user wants left alone. judge: tells what a candidate loses; None where there is
    nothing to judge on. time_nodes: what each node costs on the device; None where this machine is not the
    device. unlabelled: more images of the user's own for steps that learn or round to few bits, those to
    calibrate on among them. learn_from: images of anything, for the same steps, which nothing is judged by.
    folder: where a step that takes long keeps what it needs to go on after a stop; it may not exist yet.
    kept: what steps found out on these images, for the next recipe on them.
    """

    source: Model
    images: FeedSource
    device: Device
    policy: Policy
    threads: int = 0
    keep_float: tuple[str, ...] = ()
    seed: int = 0
    progress: Progress = silent
    judge: Judge | None = None
    time_nodes: TimeNodes | None = None
    unlabelled: FeedSource | None = None
    learn_from: FeedSource | None = None
    folder: Path | None = None
    kept: Kept = field(default_factory=Kept, repr=False, compare=False)

    def training_images(self) -> Iterator[Feeds]:
        """All there is to learn from, the user's own images first."""
        yield from (self.unlabelled or self.images)()
        yield from self.learn_from() if self.learn_from else ()


Apply = Callable[[Any, "Draft", Context], tuple[StepRecord, ...]]
"""apply(step, draft, context) -> what was done; the draft is changed."""


@dataclass(frozen=True)
class Recipe:
    """An ordered tuple of steps. No steps: the float model as it is."""

    steps: tuple[Step, ...] = ()

    @property
    def name(self) -> str:
        return "+".join(s.name for s in self.steps) or "float"

    def limited(self, bounds: Bounds) -> Recipe:
        """The recipe under these bounds, in the steps that choose by some."""
        return Recipe(tuple(step.limited(bounds) for step in self.steps))

    @property
    def learns(self) -> bool:
        """True where a step can learn from images of anything."""
        return any(s.learns for s in self.steps)


def require_possible(recipe: Recipe, policy: Policy) -> None:
    """Nothing, or UsageError with what the runtime could do instead; no model is looked at."""
    for step in recipe.steps:
        step.check_policy(policy)


EXTRAS = {"torch": "train"}
"""Package that a step may need -> the extra that installs it."""


def require_packages(recipe: Recipe) -> None:
    """Nothing, or MissingDependency where a step needs a package that is not installed."""
    for step in recipe.steps:
        for package in step.packages:
            if find_spec(package) is None:
                raise MissingDependency(package, EXTRAS[package], f"the step {step.name} of {recipe.name}")


@dataclass(frozen=True)
class Compressed:
    """The new model, what it came from, and what each step did where."""

    model: Model
    source_sha256: str
    recipe: Recipe
    log: tuple[StepRecord, ...]
    seconds: float
