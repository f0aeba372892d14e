"""The step `size`: the same network at another input size (`graph/input_size`).

It is no matter of numbers but decides more than they do: 640 -> 416 leaves 42 % of the operations. Everything
behind it (calibration, choosing, judging) sees images at the new size, so the model is brought there before a
recipe begins: `at_recipe_size`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from paredown._compress.draft import Draft
from paredown._compress.recipe import Context, Recipe, Stage, Step
from paredown.errors import UsageError
from paredown.graph.input_size import at_size, size_of
from paredown.graph.walk import to_ir
from paredown.measurement import StepRecord
from paredown.model import Model

STRIDE = 32  # the largest stride of most detectors: the shorter side is rounded to its multiples


@dataclass(frozen=True)
class Size(Step):
    """pixels: of the longer side. The shorter one keeps the ratio, rounded to a multiple of 32."""

    kind: ClassVar[str] = "size"
    summary: ClassVar[str] = "the same network at another input size (longer side in pixels)"
    amount: ClassVar[str] = "pixels"
    requires: ClassVar[frozenset[Stage]] = frozenset({"float"})
    pixels: int = 416

    def __post_init__(self) -> None:
        if self.pixels < 1:
            raise UsageError("a size needs its pixels", got=f"size{self.pixels}", expected="size416")


def at_recipe_size(model: Model, recipe: Recipe) -> Model:
    """The prepared model at the size that the recipe asks for; itself where it asks for none.

    Raises: UnsupportedModel with the node where the graph cannot be proved right there; UsageError where a
    recipe asks twice, or not first.
    """
    sizes = [step for step in recipe.steps if isinstance(step, Size)]
    if not sizes:
        return model
    if recipe.steps[0] is not sizes[0] or len(sizes) > 1:
        raise UsageError(
            "a recipe begins with its one size", got=recipe.name, hint=f"{sizes[0].name}+<other steps>"
        )
    return at_size(model, sides(model, sizes[0].pixels))


def sides(model: Model, pixels: int) -> tuple[int, int]:
    """Height and width of the model's input at that longer side."""
    height, width = size_of(model)
    if height == width:
        return pixels, pixels
    shorter = max(STRIDE, round(pixels * min(height, width) / max(height, width) / STRIDE) * STRIDE)
    return (shorter, pixels) if height < width else (pixels, shorter)


def apply(step: Size, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """The graph at the size of the step, where whoever gives the images has not brought it there before."""
    wanted = sides(context.source, step.pixels)
    if size_of(context.source) != wanted:
        draft.model = to_ir(at_size(context.source, wanted))
    return (StepRecord(step.name, "", "changed", f"the input is {wanted[1]} x {wanted[0]}"),)
