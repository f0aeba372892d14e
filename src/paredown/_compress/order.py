"""Whether the steps of a recipe can stand in their order: each must find what the steps before it leave.

A graph goes through stages; a step says at which it can work (`Step.requires`) and what it leaves
(`Step.provides`). An order in which a step could do nothing is refused before any work is done.
"""

from __future__ import annotations

from collections.abc import Mapping

from paredown._compress.recipe import Recipe, Stage, Step
from paredown.errors import UsageError

LOOKS: Mapping[Stage, str] = {
    "float": "the float model, nothing lost yet",
    "pruned": "a float model that lost weights or channels",
    "half": "a float model whose floats have 16 bits",
    "codebooks": "a float model whose weights are read from codebooks",
    "stored": "a float model, its weights stored as integers",
    "integers": "layers in integers of 8 bits",
    "few bits": "layers in integers, weights of few bits",
    "signs": "layers of signs",
    "dynamic": "layers in integers, their ranges found at every run",
    "foreign": "layers in integers written by another quantizer",
    "packed": "integers packed, or read from tables",
}


def check_order(recipe: Recipe) -> None:
    """Nothing, or UsageError with a hint where a step stands where it could do nothing."""
    stage: Stage = "float"
    stages: list[Stage] = []
    for step in recipe.steps:
        stages.append(stage)
        if stage not in step.requires:
            raise UsageError(
                f"the step {step.name!r} cannot do anything at its place in {recipe.name!r}",
                got=LOOKS[stage],
                expected=", or ".join(LOOKS[s] for s in LOOKS if s in step.requires),
                hint=_hint(step, recipe, stages),
            )
        stage = step.provides(stage)


def _hint(step: Step, recipe: Recipe, stages: list[Stage]) -> str:
    """Where the step could stand: in front of one that is there, else behind one that is not."""
    for before, stage in zip(recipe.steps, stages, strict=False):
        if stage in step.requires and before.kind != step.kind:
            return f"put {step.name} in front of {before.name}"
    return f"put {step.name} behind {step.comes_behind}" if step.comes_behind else "leave it out"
