"""The pairs of a study: every recipe, at every input size, in every place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from paredown._compress.parts import Part, sections
from paredown._compress.presets import PRESETS, STOCK, default_recipes, parse_recipe
from paredown._compress.recipe import Recipe
from paredown._compress.size import Size, sides
from paredown.analyze.against_float import FLOAT
from paredown.graph.input_size import size_of
from paredown.model import Model
from paredown.study.work import Work
from paredown.targets import Target


@dataclass(frozen=True)
class Pair:
    """What one trial tries: a recipe, and where. work: at the place. label: of both."""

    work: Work
    recipe: Recipe
    label: str

    @property
    def runtime(self) -> str:
        return self.work.bench.target.runtime

    @property
    def is_float(self) -> bool:
        """Whether the recipe leaves the float model as it is, at whatever size."""
        return all(isinstance(step, Size) for step in self.recipe.steps)

    @property
    def in_integers(self) -> bool:
        """Whether the recipe is about the integer kernels of its runtime."""
        return any(step.integers for step in self.recipe.steps)

    @property
    def pixels(self) -> int:
        """The longer side of the input that the recipe asks for; 0: the model's own."""
        return next((step.pixels for step in self.recipe.steps if isinstance(step, Size)), 0)

    @property
    def place(self) -> tuple[str, int]:
        """Pairs of one place and size are as fast as their kind of arithmetic."""
        return self.runtime, self.pixels


def pairs(
    work: Work, tried: Sequence[Target], recipes: Callable[[Target], Mapping[str, Recipe]]
) -> tuple[Pair, ...]:
    """Every place's recipes there, and the float model at each that is not the usual one."""
    found = []
    for place in tried:
        usual = place == work.bench.usual
        at = work if usual else work.at(place)
        here = recipes(place) if usual else {FLOAT: Recipe(), **recipes(place)}
        found += [Pair(at, recipe, at.label(label)) for label, recipe in here.items()]
    return tuple(found)


def usual_recipes(place: Target, usual: Target) -> tuple[str, ...]:
    """What is tried in a place where no recipes are named: what its runtime can do; other tools' defaults
    only where they are at home."""
    names = default_recipes(place.policy)
    return tuple(n for n in names if place == usual or not n.startswith(tuple(STOCK)))


def at_sizes(recipes: dict[str, Recipe], sizes: Sequence[int], model: Model) -> dict[str, Recipe]:
    """Every recipe at every size, and the float model at each that is not its own; none asked for: as it is.

    sizes: longer sides in pixels. model: the prepared one.
    """
    found: dict[str, Recipe] = {} if sizes else dict(recipes)
    for pixels in sizes:
        if sides(model, pixels) == size_of(model):
            found |= recipes
            continue
        size = Size(pixels)
        for label, recipe in ({FLOAT: Recipe()} | recipes).items():
            found[sized_label(label, pixels)] = Recipe((size, *recipe.steps))
    return found


def sized_label(label: str, pixels: int) -> str:
    """What the table shows of a recipe of that label at another input size: "size256+mixed@openvino"."""
    short, *place = label.split("@")
    size = Size(pixels).name
    return "@".join([size if short == FLOAT else f"{size}+{short}", *place])


def label_of(recipe: Recipe) -> str:
    """What the table shows: the preset's name where it has one."""
    if len(recipe.steps) > 1 and isinstance(recipe.steps[0], Size):
        return f"{recipe.steps[0].name}+{label_of(Recipe(recipe.steps[1:]))}"
    if recipe.steps and isinstance(recipe.steps[0], Part):
        own = sections(recipe).items()
        named = "+".join(word for name, part in own for word in (name, label_of(part)) if part.steps)
        return named or recipe.name
    presets = {parse_recipe(preset).name: preset for preset in PRESETS}
    return presets.get(recipe.name, recipe.name)
