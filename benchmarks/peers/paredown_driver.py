"""Paredown, handed the same tensors as everybody else. settings: {"recipe": name, "runtime": name or absent}.

For a runtime with files of its own these are built as well, as part of what is timed.
"""

from pathlib import Path

from job import Job

from paredown._compress.compress import compress
from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Context
from paredown.graph.load import load_model
from paredown.targets import target

job = Job()
recipe = parse_recipe(job.settings["recipe"])
here = target("local", runtime=job.settings.get("runtime", ""))
images = lambda: ({job.input: tensor} for tensor in job.tensors)  # noqa: E731
context = Context(
    load_model(job.model), images, here.device, here.policy, time_nodes=here.time_nodes(threads=1)
)
made = compress(recipe, context)
written = Path(f"{job.output}.onnx")
written.write_bytes(made.model.data)
built = here.build(written, written.parent)
job.done(str(built.files[0]), recipe=recipe.name)
