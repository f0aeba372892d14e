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
from tempfile import TemporaryDirectory
from typing import Any

from paredown.cores import usable_cores
from paredown.errors import MissingDependency, ModelError, StorageError, TargetError, UnsupportedModel
from paredown.files import storage_errors
from paredown.protocols import Artifact
from paredown.runtimes.artifact import of_files, stem_of

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
    start = time.perf_counter()
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
    read.set_friendly_name(graph.name)  # else it depends on whether a file or its bytes were read
    _name_by_place(read)
    files = _save(read, folder, stem_of(model), compress=precision == "float16")
    return of_files(files, build_s=time.perf_counter() - start)


def _name_by_place(model: Any) -> None:
    """OpenVINO numbers nodes of its own by process; by their place, a model is always the same file."""
    for i, node in enumerate(model.get_ordered_ops()):
        if node.get_friendly_name() == node.get_name():
            node.set_friendly_name(f"{node.get_type_name()}.{i}")


def _save(model: Any, folder: Path, stem: str, *, compress: bool) -> tuple[Path, Path]:
    """The .xml and .bin, moved here when whole: a session may have older ones open."""
    files = (folder / f"{stem}.xml", folder / f"{stem}.bin")
    with (
        storage_errors(folder),
        TemporaryDirectory(dir=folder, prefix=f".{stem}-", suffix=".part", ignore_cleanup_errors=True) as new,
    ):
        try:
            package().save_model(model, Path(new, files[0].name), compress_to_fp16=compress)
        except RuntimeError as e:
            raise StorageError(f"OpenVINO cannot write {files[0].name}", got=useful(e)) from e
        for file in files:
            Path(new, file.name).replace(file)
    return files


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
