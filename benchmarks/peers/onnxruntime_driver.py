"""onnxruntime.quantization.quantize_static. settings: {"method": name, "tuned": bool}.

Untuned: its defaults, with nothing but the calibration method chosen. Tuned: what its documentation advises
for x86 CPUs (uint8 activations, int8 weights per channel), the decode tail excluded, and the histogram
calibrators fed in strides, because they otherwise keep every output of every image in memory.
"""

from typing import Any

from job import Job
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType, quantize_static

STRIDE = 2  # images; at 640x640 each keeps 252 MB until the stride is over


class Reader(CalibrationDataReader):
    """The calibration inputs, whole or in ranges."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.set_range(0, len(job.tensors))

    def __len__(self) -> int:
        return len(self.job.tensors)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Go on with the images of this range."""
        self.rest = iter(range(start_index, end_index))

    def get_next(self) -> Any:
        index = next(self.rest, None)
        return None if index is None else {self.job.input: self.job.tensors[index]}


job = Job()
settings: dict[str, Any] = {"calibrate_method": CalibrationMethod[job.settings["method"]]}
if job.settings["tuned"]:
    settings |= {
        "activation_type": QuantType.QUInt8,
        "weight_type": QuantType.QInt8,
        "per_channel": True,
        "nodes_to_exclude": job.excluded,
        "extra_options": {"CalibStridedMinMax": STRIDE if len(job.tensors) % STRIDE == 0 else 1},
    }
written = f"{job.output}.onnx"
quantize_static(job.model, written, Reader(job), **settings)
job.done(written)
