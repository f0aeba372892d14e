"""The recipe that is most worth trying next, by the Tree-structured Parzen Estimator of Optuna.

Source: Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization" (NeurIPS), section 4; several
objectives at once as in Ozaki et al. 2022, "Multiobjective Tree-Structured Parzen Estimator" (JAIR 73).
    l(x): density of the choices of the good trials, g(x): of the others; next is argmax l(x) / g(x)
Good are those that none beats in every respect, the ones that span most of the front's volume first; a trial
that breaks a limit is never good, and the worse the farther it is beyond.

Why not NSGA-II: a study has 10 to 50 trials. A genetic algorithm with its population of 50 would still be in
its first, random generation, and its crossover mixes only slots that all parents have. TPE needs a few
trials, and a slot that a scheme does not have (the rounding of dynamic weights) is just not observed there.

Differs from the source: two fifths of the trials count as good, not a tenth, for with three respects and few
trials most of what is worth following lies on the front. Nothing is remembered between calls: a proposal
depends on the trials and the seed alone, so a study that was stopped goes on as it would have gone on.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Recipe
from paredown.errors import MissingDependency, UsageError
from paredown.search.space import Space

STARTUP = 5  # trials before which a proposal is drawn at random; found, as GOOD, by benchmarks/search.py
GOOD = 0.4  # of the trials are what l(x) is made of
ASKED = 64  # proposals that are known already, after which any that is new is taken

Sampler = Callable[[Any, int], Any]
"""sampler(optuna, seed) -> one of Optuna's samplers."""


@dataclass(frozen=True)
class Tried:
    """What is known of a recipe. costs: (C,) lower is better; () where it failed.

    over: how far it is beyond the limits, 0 where it keeps to all of them.
    """

    recipe: str
    costs: tuple[float, ...] = ()
    over: float = 0.0


def require_optuna() -> Any:
    """The package. Raises MissingDependency."""
    try:
        return import_module("optuna")
    except ModuleNotFoundError as error:
        raise MissingDependency("optuna", "search", "the search for recipes") from error


def tpe(optuna: Any, seed: int) -> Any:
    return optuna.samplers.TPESampler(
        seed=seed, n_startup_trials=STARTUP, gamma=lambda trials: math.ceil(GOOD * trials)
    )


def propose(space: Space, tried: Sequence[Tried], seed: int, sampler: Sampler = tpe) -> Recipe | None:
    """A recipe of the space that was not tried yet, or None where all were.

    The same trials and the same seed give the same recipe. Raises MissingDependency.
    """
    optuna = require_optuna()
    known = {t.recipe for t in tried}
    random = np.random.default_rng([seed, len(tried)])
    with _silenced(optuna):
        study = _study(optuna, sampler(optuna, int(random.integers(2**32))), space, tried)
        for _ in range(ASKED):
            trial = study.ask()  # one that leads nowhere stays open, which drives the sampler elsewhere
            recipe = _new(space.spell(trial.suggest_categorical), known)
            if recipe is not None:
                return recipe
    left = [name for name in space.names() if name not in known]
    shuffled = (left[i] for i in random.permutation(len(left)))
    return next((recipe for name in shuffled if (recipe := _new(name, known)) is not None), None)


def _new(name: str, known: set[str]) -> Recipe | None:
    """The recipe of that name, where it is one and not known."""
    try:
        recipe = parse_recipe(name)
    except UsageError:  # words that a step does not take together
        return None
    return None if recipe.name in known else recipe


def _study(optuna: Any, sampler: Any, space: Space, tried: Sequence[Tried]) -> Any:
    """Optuna's memory of the trials that lie in the space. One that failed counts as bad as the worst."""
    measured = [t.costs for t in tried if t.costs]
    worst = tuple(np.max(measured, axis=0).tolist()) if measured else (0.0,)
    far = 1.0 + max((t.over for t in tried), default=0.0)
    study = optuna.create_study(directions=["minimize"] * len(worst), sampler=sampler)
    for t in tried:
        choices = space.choices(t.recipe)
        if choices is None:
            continue
        words = {slot: tuple(space.schemes) if slot == "scheme" else space.slots[slot] for slot in choices}
        study.add_trial(
            optuna.trial.create_trial(
                params=choices,
                distributions={s: optuna.distributions.CategoricalDistribution(w) for s, w in words.items()},
                values=t.costs or worst,
                constraints={"limits": t.over if t.costs else far},
            )
        )
    return study


@contextmanager
def _silenced(optuna: Any) -> Iterator[None]:
    """Without Optuna's log lines and its notices about experimental features; both as before afterwards."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.filterwarnings("ignore", "`gamma`", FutureWarning)  # it goes in 6.0: see pyproject.toml
            yield
    finally:
        optuna.logging.set_verbosity(before)
