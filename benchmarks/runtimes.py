"""A runtime for the timing harness that takes ONNX files, OpenVINO's own and TFLite files.

A file ending in .onnx runs in ONNX Runtime, one ending in .xml in OpenVINO, one ending in .tflite in LiteRT.
An ONNX file is run in OpenVINO by naming a copy of it so that it ends in `OPENVINO`. This folder and OpenVINO
must be on the path of the measured process.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paredown.errors import TargetError
from paredown.model import TensorSpec
from paredown.protocols import Array, Artifact, Session
from paredown.runtimes import onnxruntime
from paredown.runtimes.artifact import as_it_is

OPENVINO = ".openvino.onnx"


class OpenVinoSession:
    """A model compiled by OpenVINO for the CPU, in float32 where it is not quantized."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self.inputs = tuple(_spec(port) for port in compiled.inputs)
        self.outputs = tuple(_spec(port) for port in compiled.outputs)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name."""
        answers = self._compiled(dict(feeds), share_inputs=True)  # outputs are copied, as ONNX Runtime does
        return {spec.name: answers[i] for i, spec in enumerate(self.outputs)}


MULTITHREADED = True
build = onnxruntime.build  # either runtime opens the file as it is
version = onnxruntime.version


def open(artifact: Artifact, *, threads: int = 0, taps: Sequence[str] = ()) -> Session:
    """A session of the file in the runtime that its name stands for."""
    model = artifact.files[0]
    if model.suffix == ".tflite":
        return importlib.import_module("paredown.runtimes.litert").open(artifact, threads=threads)
    if not model.name.endswith((".xml", OPENVINO)):
        return onnxruntime.open(artifact, threads=threads)
    openvino = importlib.import_module("openvino")  # a process that times ONNX Runtime must not hold it
    settings: dict[str, object] = {
        # By default float parts run in bfloat16 where the CPU can: then nothing here would be FP32.
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    try:
        core = openvino.Core()
        return OpenVinoSession(core.compile_model(core.read_model(model), "CPU", settings))
    except RuntimeError as e:
        raise TargetError("OpenVINO refused the model", got=str(e).strip().splitlines()[-1]) from e


def compile(file: Path) -> Session:
    """A session on all cores of a file that lies on this machine."""
    return open(as_it_is(file, "peers"))


def _spec(port: Any) -> TensorSpec:
    shape = tuple(d.get_length() if d.is_static else None for d in port.get_partial_shape())
    return TensorSpec(port.get_any_name(), shape, np.dtype(port.get_element_type().to_dtype()).name)
