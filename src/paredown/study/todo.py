"""What a study tries: its pairs of recipe and place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from paredown._compress.presets import DEFAULT_RECIPES
from paredown._compress.recipe import Recipe
from paredown.study.images import check_learns
from paredown.study.limits import Limits
from paredown.study.options import Options
from paredown.study.pairs import Pair, at_sizes, pairs, usual_recipes
from paredown.study.places import places
from paredown.study.trials import choose_recipes
from paredown.study.work import Work
from paredown.targets import Target


@dataclass(frozen=True)
class Todo:
    """pairs: float in the usual place is not among them. wanted: the recipes by label, at every size.
    left_out: a sentence for each runtime that is not installed here."""

    pairs: tuple[Pair, ...]
    wanted: dict[str, Recipe]
    left_out: tuple[str, ...]


def named_recipes(options: Options, limits: Limits) -> dict[str, Recipe]:
    """The recipes asked for by label, under the limits. Raises UsageError, before any work."""
    named = choose_recipes(options.recipes or DEFAULT_RECIPES)
    found = {label: limits.on(recipe) for label, recipe in named.items()}
    if options.learn_from is not None and options.search is None:
        check_learns(found.values())
    return found


def todo(work: Work, named: dict[str, Recipe], limits: Limits) -> Todo:
    """What is tried of a work that is ready."""
    options = work.options
    wanted = at_sizes(named, options.sizes, work.prepared)
    where = places(work.bench.target, options.runtimes)
    found = pairs(work, where.tried, partial(_recipes_of, work, wanted, limits))
    return Todo(found, wanted, where.left_out)


def _recipes_of(work: Work, wanted: dict[str, Recipe], limits: Limits, place: Target) -> dict[str, Recipe]:
    """The recipes that are tried in a place: those wanted; of several runtimes, where none were named, what
    each can do."""
    options = work.options
    if options.recipes or not options.runtimes:
        return wanted
    named = choose_recipes(usual_recipes(place, work.bench.usual))
    return at_sizes({n: limits.on(r) for n, r in named.items()}, options.sizes, work.prepared)
