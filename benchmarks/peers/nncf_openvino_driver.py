"""NNCF on OpenVINO; writes an IR. settings: {"tuned": bool}.

Untuned: nncf.quantize with its defaults. Tuned: preset MIXED, which NNCF advises for activations that are not
ReLU, and the decode tail excluded.
"""

import nncf
import onnx
import openvino
from job import Job

job = Job()
model = openvino.Core().read_model(job.model)
settings = {}
if job.settings["tuned"]:
    tail = [node for node in onnx.load(job.model).graph.node if node.name in job.excluded]
    # OpenVINO calls an operation by the ONNX node's name, or by its output's where that is the model's.
    names = {name for node in tail for name in (node.name, *node.output)}
    known = {op.get_friendly_name() for op in model.get_ops()}
    settings = {
        "preset": nncf.QuantizationPreset.MIXED,
        "ignored_scope": nncf.IgnoredScope(names=sorted(names & known)),
    }
made = nncf.quantize(model, nncf.Dataset(job.tensors), subset_size=len(job.tensors), **settings)
written = f"{job.output}.xml"
openvino.save_model(made, written)
job.done(written)
