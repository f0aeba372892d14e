"""The runtime `ncnn`: float models on the CPU, converted by the program of the package pnnx.

pnnx guesses some meanings of a graph (which axis is the batch, what a reshape is for), and its guesses may be
wrong without a word. So what it wrote answers one random input as ONNX Runtime does, or it is refused.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from paredown.device import Device
from paredown.errors import MissingDependency, TargetError
from paredown.files import write_whole
from paredown.policy import Policy
from paredown.protocols import Artifact, Shipping
from paredown.runtimes.artifact import of_files, stem_of
from paredown.runtimes.ncnn_session import NcnnSession, open_ncnn

MULTITHREADED = True
SUMMARY = "float32, float16, bfloat16, INT8; opens the .ncnn.param and .ncnn.bin that pnnx makes of the model"
SHIPS = Shipping(
    "paredown.runtimes.ncnn_session",
    "open_ncnn",
    "ncnn",
    ("model.ncnn.param", "model.ncnn.bin", "model.ncnn.json"),
    "converted by the program pnnx",
)
_PNNX = "pip install --no-deps pnnx"  # its wheel asks for torch, its program does not need it
node_times = None  # layers are timed only where ncnn itself is compiled with NCNN_BENCHMARK


def policy(device: Device) -> Policy:
    """Convolutions and inner products round what they read, symmetrically, and write real numbers."""
    kernel = frozenset(["Conv", "Gemm"])
    on_arm = device.arch == "aarch64"  # elsewhere ncnn has no arithmetic in float16
    return Policy(
        "ncnn CPU",
        kernel,
        frozenset(),
        frozenset(),
        activations="int8",
        computed=frozenset({"bfloat16", "float16"} if on_arm else {"bfloat16"}),
        stored=frozenset(() if on_arm else {"float16"}),
        per_channel=device.per_channel,
        writes_real=True,
        small_weights=False,
        dynamic=False,
    )


def build(model: bytes | Path, device: Device, folder: Path, precision: str = "") -> Artifact:
    """STEM.ncnn.param, STEM.ncnn.bin and STEM.ncnn.json, which keeps the names and shapes of the ONNX model.

    Raises: UnsupportedModel where the model is not float32, or what pnnx writes does not answer as it does.
    """
    possible = ("", *sorted(policy(device).computed))
    if precision not in possible:
        raise TargetError("ncnn does not compute in that here", got=precision, expected=possible)
    version()
    start = time.perf_counter()
    converted = import_module("paredown.runtimes.pnnx")  # not in a measured process, which only opens
    given = converted.read(model)
    files = [folder / f"{stem_of(model)}.ncnn.{end}" for end in ("param", "bin", "json")]
    with TemporaryDirectory(prefix="paredown-") as scratch:
        names = Path(scratch, "names.json")
        specs = {kind: [[s.name, s.shape] for s in getattr(given, kind)] for kind in ("inputs", "outputs")}

        def opened(files: tuple[Path, Path], precision: str = "") -> NcnnSession:
            names.write_text(json.dumps({**specs, "precision": precision}), encoding="utf-8")
            return open_ncnn((*files, names), threads=1)

        made = (*converted.made_of(given, Path(scratch), opened), names)
        opened(made[:2], precision)
        for file, new in zip(files, made, strict=True):
            write_whole(file, new.read_bytes())
    return of_files(tuple(files), build_s=time.perf_counter() - start)


def open(artifact: Artifact, *, threads: int = 0, taps: Sequence[str] = ()) -> NcnnSession:
    """A session. threads: 0 takes all usable physical cores.

    Raises: TargetError where inner tensors are asked for: their names are lost in the conversion.
    """
    if taps:
        raise TargetError("the runtime ncnn cannot give inner tensors", got=", ".join(taps))
    _require()
    return open_ncnn(artifact.files, threads)


def version() -> str:
    """Of the package ncnn. Raises MissingDependency, also without pnnx, which makes all that ncnn opens."""
    try:
        found = metadata.version("ncnn")
    except metadata.PackageNotFoundError as e:
        raise _missing() from e
    if find_spec("pnnx") is None:  # not imported: it wants torch
        raise MissingDependency("pnnx", None, "the runtime ncnn", _PNNX)
    return found


def _require() -> None:
    try:
        import_module("ncnn")
    except ModuleNotFoundError as e:
        raise _missing() from e


def _missing() -> MissingDependency:
    both = f"pip install 'paredown[ncnn]' && {_PNNX}"
    return MissingDependency("ncnn", "ncnn", "the runtime ncnn", "" if find_spec("pnnx") else both)
