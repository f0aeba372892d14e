"""Paredown, handed the same tensors as everybody else. settings: {"recipe": name}."""

from pathlib import Path

from job import Job

from paredown._compress.compress import compress
from paredown._compress.presets import parse_recipe
from paredown.graph.load import load_model
from paredown.targets import target

job = Job()
recipe = parse_recipe(job.settings["recipe"])
here = target("local")
made = compress(load_model(job.model), recipe, lambda: job.tensors, here.device, here.policy)
written = f"{job.output}.onnx"
Path(written).write_bytes(made.model.data)
job.done(written, recipe=recipe.name)
