"""The verb: a recipe applied to a model, step by step."""

from __future__ import annotations

import time
from dataclasses import replace

import onnx_ir as ir

from paredown._compress.draft import Draft
from paredown._compress.parts import compress_parts, sections
from paredown._compress.quantize.placement.keep_float import require_nodes
from paredown._compress.quantize.writing.qdq import make_biases_real
from paredown._compress.recipe import Compressed, Context, Recipe, require_packages, require_possible
from paredown._compress.steps import STEPS
from paredown._compress.weight_bits import weight_bits
from paredown.errors import ModelError
from paredown.graph.precision import require_float
from paredown.graph.run import open_session
from paredown.graph.walk import to_ir, to_model
from paredown.measurement import StepRecord
from paredown.model import Model

PROFILE_KEY = "paredown.profile"  # metadata key: the device a file was made for
RECIPE_KEY = "paredown.recipe"
WEIGHT_BITS_KEY = "paredown.weight_bits"  # see `weight_bits`; absent where no product is in integers


def compress(recipe: Recipe, context: Context) -> Compressed:
    """The model `context.source` after every step of the recipe, loaded once by the runtime as a check.

    Raises: what the steps raise; before any work MissingDependency, UsageError for a step that means nothing
    on the runtime, and UnknownName for a `keep_float` name that is no node; ModelError where the runtime
    refuses the result (a fault of ours).
    """
    started = time.perf_counter()
    require_packages(recipe)
    require_possible(recipe, context.policy)
    model = context.source
    if recipe.steps:
        require_float(model)
    if sections(recipe):
        require_nodes({node.name for node in to_ir(model).graph}, context.keep_float)
        return _named(compress_parts(recipe, context, compress), context)
    draft = Draft(to_ir(model))
    require_nodes({node.name for node in draft.graph}, context.keep_float)
    log: list[StepRecord] = []
    for step in recipe.steps:
        log += STEPS[step.kind][1](step, draft, context)
    if not recipe.steps:
        return Compressed(model, model.sha256, recipe, (), time.perf_counter() - started)
    if context.policy.real_biases:
        make_biases_real(draft.graph)
    made = _labelled(draft.model, model, recipe, context)
    if {s.name for s in made.outputs} != {s.name for s in model.outputs}:
        raise ModelError("a step changed the model's outputs", got=[s.name for s in made.outputs])
    open_session(made.data, context.threads)
    return Compressed(made, model.sha256, recipe, tuple(log), time.perf_counter() - started)


def _labelled(graph: ir.Model, model: Model, recipe: Recipe, context: Context) -> Model:
    """The graph as a model whose metadata says what was done to `model`, and for which device."""
    metadata = graph.metadata_props
    metadata[PROFILE_KEY] = context.device.name
    metadata[RECIPE_KEY] = recipe.name
    if (bits := weight_bits(graph.graph)) is not None:
        metadata[WEIGHT_BITS_KEY] = str(bits)
    return to_model(graph, model)


def _named(made: Compressed, context: Context) -> Compressed:
    """What was made of parts, labelled as a whole and opened as a check."""
    whole = _labelled(to_ir(made.model), context.source, made.recipe, context)
    open_session(whole.data, context.threads)
    return replace(made, model=whole)
