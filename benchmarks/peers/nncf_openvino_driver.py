"""NNCF on OpenVINO; writes an IR. settings: {"tuned": bool}.

Untuned: nncf.quantize with its defaults. Tuned: preset MIXED, which NNCF advises for activations that are
not ReLU, and the decode tail excluded.
"""

import nncf
import openvino
from job import Job

job = Job()
core = openvino.Core()
model = core.read_model(job.model)
settings = {}
if job.settings["tuned"]:
    names = {op.get_friendly_name() for op in model.get_ops()}
    settings = {
        "preset": nncf.QuantizationPreset.MIXED,
        "ignored_scope": nncf.IgnoredScope(names=[n for n in job.excluded if n in names], validate=False),
    }
made = nncf.quantize(model, nncf.Dataset(job.tensors), subset_size=len(job.tensors), **settings)
written = f"{job.output}.xml"
openvino.save_model(made, written)
job.done(written)
