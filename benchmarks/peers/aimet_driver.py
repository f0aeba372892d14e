"""aimet-onnx, as it exports to standard Q/DQ nodes. settings: {"tuned": bool}.

Untuned: QuantizationSimModel with its defaults (8 bits, per tensor, min-max). Tuned: cross-layer
equalization, the error-driven ranges ("tf_enhanced"), weights per channel, the quantizers of the decode
tail's nodes off.
"""

import onnx
from aimet_onnx.common.quantsim_config.utils import get_path_for_per_channel_config
from aimet_onnx.cross_layer_equalization import equalize_model
from aimet_onnx.quantsim import QuantizationSimModel
from job import Job

job = Job()
model = onnx.load(job.model)
if job.settings["tuned"]:
    tail = set(job.excluded)
    weights = {tensor.name for tensor in model.graph.initializer}
    touched = [node for node in model.graph.node if node.name in tail]
    left = {name for node in touched for name in (*node.output, *(weights & set(node.input)))}
    equalize_model(model)
    config = get_path_for_per_channel_config()
    sim = QuantizationSimModel(model, quant_scheme="tf_enhanced", config_file=config)
    for name, quantizer in sim.qc_quantize_op_dict.items():
        if name in left:
            quantizer.enabled = False
else:
    sim = QuantizationSimModel(model)
sim.compute_encodings({job.input: tensor} for tensor in job.tensors)
written = f"{job.output}.onnx"
onnx.save(sim.to_onnx_qdq(), written)
job.done(written)
