"""The runtime `openvino`: OpenVINO on the CPU. The package is imported where it is needed, never before.

The precision of the float part is said outright, float32 where nothing else was asked: left to itself
OpenVINO takes bfloat16 on CPUs with AMX and float16 on ARM. It is kept in model.xml, with the names that the
ONNX model gives its inputs and outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np

from paredown.device import Device
from paredown.errors import TargetError
from paredown.model import Model, TensorSpec
from paredown.policy import Policy
from paredown.protocols import Array, Artifact, NodeTimes
from paredown.runtimes import openvino_files
from paredown.runtimes.tensors import check_feeds

MULTITHREADED = True
SUMMARY = "float32, float16, bfloat16, INT8, weights of 4 bits; opens the .xml and .bin that it makes"


def policy(device: Device) -> Policy:
    """That of ONNX Runtime: the CPU plugin computes these operators in integers too, its weights signed.

    It could round less, see docs/openvino.md: these sets do not tell an activation that is fused.
    """
    onnxruntime = import_module("paredown.runtimes.onnxruntime")  # not in a measured process
    like: Policy = onnxruntime.policy(device)
    return replace(like, name="OpenVINO CPU", weights="int8")


class OpenVinoSession:
    """A model compiled by OpenVINO for the CPU: one request, one stream."""

    def __init__(self, compiled: Any, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        self._request = compiled.create_infer_request()
        self.inputs = tuple(_spec(port, n) for port, n in zip(compiled.inputs, inputs, strict=True))
        self.outputs = tuple(_spec(port, n) for port, n in zip(compiled.outputs, outputs, strict=True))

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name. Raises TargetError where the runtime stops."""
        check_feeds(feeds, self.inputs)
        given = {i: feeds[spec.name] for i, spec in enumerate(self.inputs)}
        try:
            self._request.infer(given, share_inputs=True)
        except RuntimeError as e:
            raise TargetError("OpenVINO stopped while running the model", got=openvino_files.useful(e)) from e
        # Copies: the request writes its next answer over this one.
        return {
            spec.name: self._request.get_output_tensor(i).data.copy() for i, spec in enumerate(self.outputs)
        }


def build(model: bytes | Path, device: Device, folder: Path, precision: str = "") -> Artifact:
    """STEM.xml and STEM.bin; "model" is the stem of a model in memory.

    precision: of the float part: "" is float32, "float16" also stores its weights in it, "bfloat16".
    """
    return openvino_files.write(model, folder, precision)


def open(artifact: Artifact, *, threads: int = 0, taps: Sequence[str] = ()) -> OpenVinoSession:
    """A session with one stream. threads: 0 takes all usable physical cores.

    Raises: TargetError where this CPU does not compute in the precision that the artifact was built for, or a
    tap is no tensor that OpenVINO kept.
    """
    compiled, inputs, outputs = openvino_files.compile_files(artifact, threads, taps)
    return OpenVinoSession(compiled, inputs, outputs)


version = openvino_files.version


def node_times(models: Sequence[Model], *, threads: int = 0) -> list[NodeTimes]:
    """The seconds of every node of each model, timed in turns."""
    timed = import_module("paredown.runtimes.openvino_nodes").node_times(models, threads=threads)
    return cast(list[NodeTimes], timed)


def _spec(port: Any, name: str) -> TensorSpec:
    shape = tuple(d.get_length() if d.is_static else None for d in port.partial_shape)
    return TensorSpec(name, shape, str(np.dtype(port.element_type.to_dtype())))
