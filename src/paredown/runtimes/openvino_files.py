"""OpenVINO's files, written of an ONNX model.

model.xml says, besides the network, the precision that was asked for and the names that the ONNX model gives
its inputs and outputs.
"""

from __future__ import annotations

import json
import time
from importlib import import_module, metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from paredown.errors import MissingDependency, StorageError, TargetError, UnsupportedModel
from paredown.files import storage_errors
from paredown.protocols import Artifact
from paredown.runtimes.artifact import of_files, stem_of
from paredown.runtimes.openvino_session import KEY, PRECISIONS, core, useful


def write(model: bytes | Path, folder: Path, precision: str) -> Artifact:
    """STEM.xml and STEM.bin, of a model in memory model.xml and model.bin.

    precision: of the float part: "" is float32, "float16" also stores its weights in it, "bfloat16".
    """
    if precision not in PRECISIONS:
        known = ", ".join(name or "'' (float32)" for name in PRECISIONS)
        raise TargetError("OpenVINO does not compute in this precision", got=precision, expected=known)
    package()
    start = time.perf_counter()
    proto = import_module("paredown.runtimes.proto")  # not in a measured process, which only opens
    parsed = proto.parse(model)
    graph = parsed.graph
    stored = {i.name for i in graph.initializer}
    names = {
        "inputs": [i.name for i in graph.input if i.name not in stored],
        "outputs": [o.name for o in graph.output],
    }
    try:
        repeated = import_module("paredown.runtimes.repeated").without_repeats(parsed)
        read = core().read_model(parsed.SerializeToString() if repeated else model)
    except RuntimeError as e:
        raise UnsupportedModel("OpenVINO cannot read the model", got=useful(e)) from e
    read.set_rt_info(json.dumps({"precision": precision, **names}), KEY)
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
