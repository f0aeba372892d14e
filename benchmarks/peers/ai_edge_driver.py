"""ai-edge-quantizer on the float TFLite file that we wrote; writes another. settings: {"tuned": bool}.

Untuned: its recipe for static INT8, weights and activations of 8 bits, all that it supports. Tuned: the
decode tail left float, by the names of the tensors that it writes: those of the graph, and all behind them,
since the file has tensors of its own there. Inputs and outputs stay real numbers, as those of all others.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import onnx
from ai_edge_litert.schema_py_generated import ModelT
from ai_edge_quantizer import qtyping, quantizer, recipe
from job import Job


def behind(file: Path, names: Iterable[str]) -> list[str]:
    """The tensors with these names in a TFLite file, and all that depend on them."""
    graph = ModelT.InitFromPackedBuf(file.read_bytes(), 0).subgraphs[0]
    found = dict.fromkeys(names)
    for operator in graph.operators:
        read, written = (
            [graph.tensors[i].name.decode() for i in ids if i >= 0]
            for ids in (operator.inputs, operator.outputs)
        )
        if any(name in found for name in (*read, *written)):
            found |= dict.fromkeys(written)
    return list(found)


job = Job()
floats = Path(job.model).with_suffix(".tflite")
maker = quantizer.Quantizer(str(floats), recipe.static_wi8_ai8())
for border in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
    maker.update_quantization_recipe(".*", border, algorithm_key="no_quantize")
if job.settings["tuned"]:
    nodes = [node for node in onnx.load(job.model).graph.node if node.name in job.excluded]
    for name in behind(floats, [name for node in nodes for name in node.output]):
        maker.update_quantization_recipe(f"^{re.escape(name)};?$", "*", algorithm_key="no_quantize")
images = [{job.input: tensor.transpose(0, 2, 3, 1)} for tensor in job.tensors]
found = maker.calibrate({"serving_default": images})
written = f"{job.output}.tflite"
maker.quantize(found).export_model(written, overwrite=True)
job.done(written)
