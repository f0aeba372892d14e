"""OpenVINO's files compiled again.

The bundle's `detect.py` carries this file: nothing but openvino and numpy is needed.

model.xml says, besides the network, the precision that was asked for and the names that the ONNX model gives
its inputs and outputs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from paredown.cores import usable_cores
from paredown.errors import ModelError, TargetError
from paredown.model import TensorSpec
from paredown.protocols import Array
from paredown.runtimes.tensors import check_feeds

PRECISIONS = {"": "f32", "float16": "f16", "bfloat16": "bf16"}
"""As `build` spells them -> as OpenVINO does."""
KEY = ["paredown"]  # of what model.xml says besides the network


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
            raise TargetError("OpenVINO stopped while running the model", got=useful(e)) from e
        # Copies: the request writes its next answer over this one.
        return {
            spec.name: self._request.get_output_tensor(i).data.copy() for i, spec in enumerate(self.outputs)
        }


def open_xml(files: Sequence[Path], threads: int) -> OpenVinoSession:
    """A session of the .xml and .bin with one stream."""
    return OpenVinoSession(*compile_files(files, threads))


def compile_files(
    files: Sequence[Path], threads: int, taps: Sequence[str] = (), **more: object
) -> tuple[Any, list[str], list[str]]:
    """OpenVINO's CompiledModel, and the names of its inputs and outputs. more: properties of the plugin."""
    try:
        model = core().read_model(*map(str, files))
        said = json.loads(model.get_rt_info(KEY).astype(str))
    except RuntimeError as e:
        raise ModelError("OpenVINO cannot read what was built", got=useful(e)) from e
    ours = [name for port in model.inputs for name in said["inputs"] if name in port.names]
    outputs = [*said["outputs"], *_tapped(model, said["outputs"], taps)]
    hint = PRECISIONS[said["precision"]]
    properties = {
        "INFERENCE_PRECISION_HINT": hint,
        "INFERENCE_NUM_THREADS": threads or usable_cores(),
        "NUM_STREAMS": 1,
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,  # else inputs of products with packed weights become integers
        **more,
    }
    try:
        compiled = core().compile_model(model, "CPU", properties)
    except RuntimeError as e:
        raise TargetError("OpenVINO refused the model", got=useful(e)) from e
    taken = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    if taken != hint:
        raise TargetError(
            f"OpenVINO does not compute in {said['precision'] or 'float32'} on this CPU",
            got=taken,
            expected=hint,
            hint="build the model for float32, which every CPU computes",
        )
    return compiled, ours, outputs


def _tapped(model: Any, outputs: Sequence[str], taps: Sequence[str]) -> list[str]:
    """The taps that the model does not answer with yet, made outputs of it in this order."""
    new = [name for name in dict.fromkeys(taps) if name not in outputs]
    for name in new:
        try:
            model.add_outputs(name)
        except RuntimeError as e:
            raise TargetError(f"OpenVINO's model has no tensor {name!r}", got=useful(e)) from e
    return new


@cache
def core() -> Any:
    """OpenVINO's, which keeps its plugins loaded: one for a process."""
    return import_module("openvino").Core()


def useful(error: Exception) -> str:
    """The part of OpenVINO's text that helps: without positions in its source."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith(("Exception from", "Check '"))]
    return " ".join(said) or type(error).__name__


def _spec(port: Any, name: str) -> TensorSpec:
    shape = tuple(d.get_length() if d.is_static else None for d in port.partial_shape)
    return TensorSpec(name, shape, str(np.dtype(port.element_type.to_dtype())))
