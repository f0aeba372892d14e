"""OpenVINO's files: written of an ONNX model, and compiled again.

model.xml says, besides the network, the precision that was asked for and the names that the ONNX model gives
its inputs and outputs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from paredown.cores import usable_cores
from paredown.errors import MissingDependency, ModelError, StorageError, TargetError, UnsupportedModel
from paredown.protocols import Artifact
from paredown.runtimes.artifact import of_files

PRECISIONS = {"": "f32", "float16": "f16", "bfloat16": "bf16"}
"""As `build` spells them -> as OpenVINO does."""
_KEY = ["paredown"]  # of what model.xml says besides the network


def write(model: bytes | Path, folder: Path, precision: str) -> Artifact:
    """STEM.xml and STEM.bin, of a model in memory model.xml and model.bin.

    precision: of the float part: "" is float32, "float16" also stores its weights in it, "bfloat16".
    """
    if precision not in PRECISIONS:
        known = ", ".join(name or "'' (float32)" for name in PRECISIONS)
        raise TargetError("OpenVINO does not compute in this precision", got=precision, expected=known)
    openvino, start = package(), time.perf_counter()
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
        raise UnsupportedModel("OpenVINO cannot read the model", got=useful(e)) from e
    read.set_rt_info(json.dumps({"precision": precision, **names}), _KEY)
    xml = folder / f"{'model' if isinstance(model, bytes) else model.stem}.xml"
    try:
        openvino.save_model(read, xml, compress_to_fp16=precision == "float16")
    except RuntimeError as e:
        raise StorageError(f"OpenVINO cannot write {xml.name}", got=useful(e)) from e
    return of_files((xml, xml.with_suffix(".bin")), build_s=time.perf_counter() - start)


def compile_files(
    artifact: Artifact, threads: int, taps: Sequence[str] = (), **more: object
) -> tuple[Any, list[str], list[str]]:
    """OpenVINO's CompiledModel, and the names of its inputs and outputs. more: properties of the plugin."""
    files = [str(file) for file in artifact.files]
    try:
        model = _core().read_model(*files)
        said = json.loads(model.get_rt_info(_KEY).astype(str))
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
        compiled = _core().compile_model(model, "CPU", properties)
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
def _core() -> Any:
    return package().Core()


def package() -> Any:
    """The package openvino. Raises MissingDependency."""
    try:
        return import_module("openvino")
    except ModuleNotFoundError as e:
        raise _missing() from e


def version() -> str:
    """Of the package openvino."""
    try:
        return metadata.version("openvino")
    except metadata.PackageNotFoundError as e:
        raise _missing() from e


def _missing() -> MissingDependency:
    return MissingDependency("openvino", "openvino", "the runtime openvino")


def useful(error: Exception) -> str:
    """The part of OpenVINO's text that helps: without positions in its source."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith(("Exception from", "Check '"))]
    return " ".join(said) or type(error).__name__
