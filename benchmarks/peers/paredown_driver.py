"""Paredown, handed the same tensors as everybody else. settings: {"recipe": name}."""

from pathlib import Path

from job import Job

from paredown._compress.compress import compress
from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Context
from paredown.graph.load import load_model
from paredown.targets import target

job = Job()
recipe = parse_recipe(job.settings["recipe"])
here = target("local")
context = Context(load_model(job.model), lambda: job.tensors, here.device, here.policy)
made = compress(recipe, context)
written = f"{job.output}.onnx"
Path(written).write_bytes(made.model.data)
job.done(written, recipe=recipe.name)
