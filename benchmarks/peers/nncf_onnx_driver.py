"""NNCF on ONNX. settings: {"tuned": bool}, as in nncf_openvino_driver.py."""

import nncf
import onnx
from job import Job

job = Job()
model = onnx.load(job.model)
settings = {}
if job.settings["tuned"]:
    settings = {
        "preset": nncf.QuantizationPreset.MIXED,
        "ignored_scope": nncf.IgnoredScope(names=job.excluded, validate=False),
    }
images = nncf.Dataset(job.tensors, lambda tensor: {job.input: tensor})
made = nncf.quantize(model, images, subset_size=len(job.tensors), **settings)
written = f"{job.output}.onnx"
onnx.save(made, written)
job.done(written)
