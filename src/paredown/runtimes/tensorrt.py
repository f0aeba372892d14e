"""The runtime `tensorrt`: NVIDIA's TensorRT on a GPU, a Jetson's above all.

An engine is built on the very GPU that runs it. Where there is none, the ONNX file is checked against
TensorRT's rules and the command that builds the engine is written out beside it; nothing is opened there.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import cast

from paredown.device import Device
from paredown.errors import MissingDependency, TargetError
from paredown.policy import Policy
from paredown.protocols import Artifact, Shipping
from paredown.runtimes.tensorrt_session import TensorRtSession, open_engine, require_gpu

PACKAGE = "tensorrt"
MULTITHREADED = False
SUMMARY = "float32, float16, INT8 with zero points of 0; opens the .engine that it builds on its own GPU"
SHIPS = Shipping(
    "paredown.runtimes.tensorrt_session",
    "open_engine",
    PACKAGE,
    ("model.engine",),
    "built by TensorRT on the GPU that runs it, see build.txt",
)
node_times = None  # a profiler would have to hang on the context while it runs
KERNEL = frozenset(["Conv", "Gemm"])


def policy(device: Device) -> Policy:
    """Symmetric int8, a scale for every channel of a weight, Q/DQ in front of convolutions and nowhere else.

    A convolution takes the activation behind it into its kernel, in float, so nothing is rounded between the
    two; a residual sum reads what the next convolution reads. Biases are float: TensorRT's parser takes no
    DequantizeLinear of int32.
    Source: NVIDIA, TensorRT documentation, "Explicit Quantization", Q/DQ layer-placement recommendations.
    """
    return Policy(
        "TensorRT",
        KERNEL,
        frozenset(),
        frozenset(),
        activations="int8",
        per_channel=device.per_channel,
        writes_real=True,
        rounds_sums=True,
        real_biases=True,
        computed=frozenset({"float16"}),
        small_weights=False,
        dynamic=False,
    )


def build(model: bytes | Path, device: Device, folder: Path, precision: str = "") -> Artifact:
    """STEM.engine; where there is no TensorRT, the ONNX file itself, and build.txt that says how to build it.

    precision: of the float part, "" or "float16". Raises: UnsupportedModel where the model breaks a rule.
    """
    files = import_module("paredown.runtimes.tensorrt_files")  # not in a measured process, which only opens
    if precision not in files.PRECISIONS:
        known = ", ".join(repr(p) for p in files.PRECISIONS)
        raise TargetError("TensorRT is not built for this precision", got=precision, expected=known)
    return cast(Artifact, files.write(model, folder, precision, here=_missing() is None))


def open(artifact: Artifact, *, threads: int = 0, taps: Sequence[str] = ()) -> TensorRtSession:
    """A session on the GPU. threads: of the CPU, which computes nothing of it.

    Raises: MissingDependency without TensorRT or a GPU; TargetError for inner tensors, and for a model of
    which no engine was built.
    """
    if missing := _missing():
        raise missing
    if taps:
        raise TargetError("the runtime tensorrt cannot give inner tensors", got=", ".join(taps))
    if not artifact.files or artifact.files[0].suffix != ".engine":
        raise TargetError(
            "TensorRT opens an engine, built on this GPU",
            got=artifact.files[0].name if artifact.files else "a model in memory",
            expected="model.engine",
            hint="build it with the command in build.txt",
        )
    return open_engine(artifact.files, threads)


def version() -> str:
    """Of the package tensorrt. Raises MissingDependency without it or a GPU."""
    if missing := _missing():
        raise missing
    return str(import_module("tensorrt").__version__)


def _missing() -> MissingDependency | None:
    """What keeps TensorRT from running on this machine; None where nothing does."""
    try:
        import_module("tensorrt")
        require_gpu()
    except ImportError:
        return MissingDependency(PACKAGE, PACKAGE, "the runtime tensorrt")
    except TargetError as trouble:  # no CUDA, no driver, no GPU, or one that does not answer: in CUDA's words
        return MissingDependency("CUDA on a GPU of NVIDIA", None, "the runtime tensorrt", str(trouble))
    return None
