"""The runtime `ncnn`: float models on the CPU, converted by the program of the package pnnx.

pnnx guesses some meanings of a graph (which axis is the batch, what a reshape is for), and its guesses may be
wrong without a word. So what it wrote answers one random input as ONNX Runtime does, or it is refused.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from importlib import import_module, metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from paredown.cores import usable_cores
from paredown.device import Device
from paredown.errors import MissingDependency, ModelError, TargetError
from paredown.files import write_whole
from paredown.model import TensorSpec
from paredown.policy import Policy
from paredown.protocols import Array, Artifact
from paredown.runtimes.artifact import of_files, stem_of
from paredown.runtimes.tensors import check_feeds

MULTITHREADED = True
SUMMARY = "float32; opens the .ncnn.param and .ncnn.bin that pnnx makes of the model"
node_times = None  # layers are timed only where ncnn itself is compiled with NCNN_BENCHMARK
_FLOAT = (
    "use_vulkan_compute",
    *("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"),
    *("use_bf16_packed", "use_bf16_storage"),
)
"""Options of ncnn that are switched off: float32 and nothing else."""


def policy(device: Device) -> Policy:
    """Nothing in integers: pnnx converts no Q/DQ pairs."""
    return Policy("ncnn CPU", frozenset(), frozenset(), frozenset(), per_channel=device.per_channel)


class NcnnSession:
    """A network in ncnn. Its blobs have no batch axis; feeds and answers are those of the ONNX model."""

    def __init__(self, net: Any, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> None:
        self._net, self._mat = net, import_module("ncnn").Mat
        self.inputs, self.outputs = inputs, outputs

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name. Raises TargetError where a layer fails."""
        check_feeds(feeds, self.inputs)
        extractor = self._net.create_extractor()
        for i, spec in enumerate(self.inputs):
            # A clone lies as ncnn wants it: every channel on an address of its own alignment.
            extractor.input(f"in{i}", self._mat(np.ascontiguousarray(feeds[spec.name][0])).clone())
        answers: dict[str, Array] = {}
        for i, spec in enumerate(self.outputs):
            code, blob = extractor.extract(f"out{i}")
            answer = np.array(blob) if code == 0 else np.empty(0)
            shape = [-1 if d is None else d for d in spec.shape]
            if answer.size != np.prod(shape):
                raise TargetError(f"ncnn gave no {spec.name!r}", got=f"code {code}, shape {answer.shape}")
            answers[spec.name] = answer.reshape(shape)
        return answers


def build(model: bytes | Path, device: Device, folder: Path, precision: str = "") -> Artifact:
    """STEM.ncnn.param, STEM.ncnn.bin and STEM.ncnn.json, which keeps the names and shapes of the ONNX model.

    Raises: UnsupportedModel where the model is not float32, or what pnnx writes does not answer as it does.
    """
    if precision:
        raise TargetError("the runtime ncnn computes in float32", got=precision, expected="''")
    version()
    start = time.perf_counter()
    converted = import_module("paredown.runtimes.pnnx")  # not in a measured process, which only opens
    given = converted.read(model)
    files = [folder / f"{stem_of(model)}.ncnn.{end}" for end in ("param", "bin", "json")]
    with TemporaryDirectory(prefix="paredown-") as scratch:
        names = Path(scratch, "names.json")
        specs = {kind: [[s.name, s.shape] for s in getattr(given, kind)] for kind in ("inputs", "outputs")}
        names.write_text(json.dumps(specs), encoding="utf-8")
        made = (*converted.convert(given, Path(scratch)), names)
        converted.check(given, open(of_files(made, 0.0), threads=1))
        for file, new in zip(files, made, strict=True):
            write_whole(file, new.read_bytes())
    return of_files(tuple(files), build_s=time.perf_counter() - start)


def open(artifact: Artifact, *, threads: int = 0, taps: Sequence[str] = ()) -> NcnnSession:
    """A session. threads: 0 takes all usable physical cores.

    Raises: TargetError where inner tensors are asked for: their names are lost in the conversion.
    """
    if taps:
        raise TargetError("the runtime ncnn cannot give inner tensors", got=", ".join(taps))
    ncnn = _package()
    param, weights, names = artifact.files
    try:
        said = json.loads(names.read_bytes())
    except (OSError, ValueError) as e:
        raise ModelError(f"cannot read {names.name}", got=e) from e
    net = ncnn.Net()
    for option in _FLOAT:
        if hasattr(net.opt, option):
            setattr(net.opt, option, False)
    net.opt.num_threads = threads or usable_cores()
    if net.load_param(str(param)) != 0 or net.load_model(str(weights)) != 0:
        raise ModelError("ncnn cannot read the network", got=param.name)
    specs = [[TensorSpec(n, tuple(s), "float32") for n, s in said[kind]] for kind in ("inputs", "outputs")]
    return NcnnSession(net, tuple(specs[0]), tuple(specs[1]))


def version() -> str:
    """Of the package ncnn. Raises MissingDependency."""
    try:
        return metadata.version("ncnn")
    except metadata.PackageNotFoundError as e:
        raise _missing() from e


def _package() -> Any:
    try:
        return import_module("ncnn")
    except ModuleNotFoundError as e:
        raise _missing() from e


def _missing() -> MissingDependency:
    return MissingDependency("ncnn", "ncnn", "the runtime ncnn")
