"""ai-edge-quantizer on the float TFLite file that we wrote; writes another. settings: {"tuned": bool}.

Untuned: its recipe for static INT8, weights and activations of 8 bits, all that it supports. Tuned: the
decode tail left float, by the names of the tensors that it writes. Inputs and outputs stay real numbers, as
those of all others.
"""

import re
from pathlib import Path

import onnx
from ai_edge_quantizer import qtyping, quantizer, recipe
from job import Job

job = Job()
maker = quantizer.Quantizer(str(Path(job.model).with_suffix(".tflite")), recipe.static_wi8_ai8())
for border in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
    maker.update_quantization_recipe(".*", border, algorithm_key="no_quantize")
if job.settings["tuned"]:
    for node in onnx.load(job.model).graph.node:
        if node.name in job.excluded:
            for name in node.output:
                maker.update_quantization_recipe(f"^{re.escape(name)};?$", "*", algorithm_key="no_quantize")
images = [{job.input: tensor.transpose(0, 2, 3, 1)} for tensor in job.tensors]
found = maker.calibrate({"serving_default": images})
written = f"{job.output}.tflite"
maker.quantize(found).export_model(written, overwrite=True)
job.done(written)
