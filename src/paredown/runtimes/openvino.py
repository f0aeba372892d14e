"""The runtime `openvino`: OpenVINO on the CPU. The package is imported where it is needed, never before.

The precision of the float part is said outright, float32 where nothing else was asked: left to itself
OpenVINO takes bfloat16 on CPUs with AMX and float16 on ARM. It is kept in model.xml, with the names that the
ONNX model gives its inputs and outputs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, cast

import numpy as np

from paredown.cores import usable_cores
from paredown.device import Device
from paredown.errors import MissingDependency, ModelError, StorageError, TargetError, UnsupportedModel
from paredown.model import Model, TensorSpec
from paredown.policy import Policy
from paredown.protocols import Array, Artifact, NodeTimes
from paredown.runtimes.artifact import of_files
from paredown.runtimes.tensors import check_feeds

MULTITHREADED = True
SUMMARY = "ONNX; float32, float16, bfloat16, INT8, 4-bit weights; writes .xml and .bin"
PRECISIONS = {"": "f32", "float16": "f16", "bfloat16": "bf16"}
"""As `build` spells them -> as OpenVINO does."""
_KEY = ["paredown"]  # of what model.xml says besides the network


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
            raise TargetError("OpenVINO stopped while running the model", got=_useful(e)) from e
        # Copies: the request writes its next answer over this one.
        return {
            spec.name: self._request.get_output_tensor(i).data.copy() for i, spec in enumerate(self.outputs)
        }


def build(model: bytes | Path, device: Device, folder: Path, precision: str = "") -> Artifact:
    """STEM.xml and STEM.bin, of a model in memory model.xml and model.bin.

    precision: of the float part: "" is float32, "float16" also stores its weights in it, "bfloat16".
    """
    if precision not in PRECISIONS:
        known = ", ".join(name or "'' (float32)" for name in PRECISIONS)
        raise TargetError("OpenVINO does not compute in this precision", got=precision, expected=known)
    openvino, start = _package(), time.perf_counter()
    proto = import_module("paredown.runtimes.proto")  # not in a measured process, which only opens
    graph = proto.parse(model).graph
    stored = {i.name for i in graph.initializer}
    names = {
        "inputs": [i.name for i in graph.input if i.name not in stored],
        "outputs": [o.name for o in graph.output],
    }
    try:
        read = _core().read_model(model)
    except RuntimeError as e:
        raise UnsupportedModel("OpenVINO cannot read the model", got=_useful(e)) from e
    read.set_rt_info(json.dumps({"precision": precision, **names}), _KEY)
    xml = folder / f"{'model' if isinstance(model, bytes) else model.stem}.xml"
    try:
        openvino.save_model(read, xml, compress_to_fp16=precision == "float16")
    except RuntimeError as e:
        raise StorageError(f"OpenVINO cannot write {xml.name}", got=_useful(e)) from e
    return of_files((xml, xml.with_suffix(".bin")), build_s=time.perf_counter() - start)


def open(artifact: Artifact, *, threads: int = 0, taps: Sequence[str] = ()) -> OpenVinoSession:
    """A session with one stream. threads: 0 takes all usable physical cores.

    Raises: TargetError where this CPU does not compute in the precision that the artifact was built for, or a
    tap is no tensor that OpenVINO kept.
    """
    compiled, inputs, outputs = compile_files(artifact, threads, taps)
    return OpenVinoSession(compiled, inputs, outputs)


def compile_files(
    artifact: Artifact, threads: int, taps: Sequence[str] = (), **more: object
) -> tuple[Any, list[str], list[str]]:
    """OpenVINO's CompiledModel, and the names of its inputs and outputs. more: properties of the plugin."""
    files = [str(file) for file in artifact.files]
    try:
        model = _core().read_model(*files)
        said = json.loads(model.get_rt_info(_KEY).astype(str))
    except RuntimeError as e:
        raise ModelError("OpenVINO cannot read what was built", got=_useful(e)) from e
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
        compiled = _core().compile_model(model, "CPU", properties)
    except RuntimeError as e:
        raise TargetError("OpenVINO refused the model", got=_useful(e)) from e
    taken = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    if taken != hint:
        raise TargetError(
            f"OpenVINO does not compute in {said['precision'] or 'float32'} on this CPU",
            got=taken,
            expected=hint,
            hint="build the model for float32, which every CPU computes",
        )
    return compiled, ours, outputs


def node_times(models: Sequence[Model], *, threads: int = 0) -> list[NodeTimes]:
    """The seconds of every node of each model, timed in turns."""
    timed = import_module("paredown.runtimes.openvino_nodes").node_times(models, threads=threads)
    return cast(list[NodeTimes], timed)


def version() -> str:
    """Of the package openvino."""
    try:
        return metadata.version("openvino")
    except metadata.PackageNotFoundError as e:
        raise _missing() from e


def _tapped(model: Any, outputs: Sequence[str], taps: Sequence[str]) -> list[str]:
    """The taps that the model does not answer with yet, made outputs of it in this order."""
    new = [name for name in dict.fromkeys(taps) if name not in outputs]
    for name in new:
        try:
            model.add_outputs(name)
        except RuntimeError as e:
            raise TargetError(f"OpenVINO's model has no tensor {name!r}", got=_useful(e)) from e
    return new


def _spec(port: Any, name: str) -> TensorSpec:
    shape = tuple(d.get_length() if d.is_static else None for d in port.partial_shape)
    return TensorSpec(name, shape, str(np.dtype(port.element_type.to_dtype())))


@cache
def _core() -> Any:
    return _package().Core()


def _package() -> Any:
    try:
        return import_module("openvino")
    except ModuleNotFoundError as e:
        raise _missing() from e


def _missing() -> MissingDependency:
    return MissingDependency("openvino", "openvino", "the runtime openvino")


def _useful(error: Exception) -> str:
    """The part of OpenVINO's text that helps: without positions in its source."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith(("Exception from", "Check '"))]
    return " ".join(said) or type(error).__name__
