"""The runtime `openvino`: OpenVINO on the CPU. The package is imported where it is needed, never before.

The precision of the float part is said outright, float32 where nothing else was asked: left to itself
OpenVINO takes bfloat16 on CPUs with AMX and float16 on ARM. It is kept in model.xml, with the names that the
ONNX model gives its inputs and outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import cast

from paredown.device import Device
from paredown.model import Model
from paredown.policy import Policy
from paredown.protocols import Artifact, NodeTimes, Shipping
from paredown.runtimes import openvino_files
from paredown.runtimes.openvino_session import OpenVinoSession, compile_files

MULTITHREADED = True
SUMMARY = "float32, float16, bfloat16, INT8, weights of 4 bits; opens the .xml and .bin that it makes"
SHIPS = Shipping(
    "paredown.runtimes.openvino_session",
    "open_xml",
    "openvino",
    ("model.xml", "model.bin"),
    "read and saved by OpenVINO itself",
)
KERNEL = frozenset(["Conv", "Gemm", "MatMul"])
SAME = frozenset(
    [
        *("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Split", "Slice", "Gather", "Identity"),
        *("MaxPool", "Resize", "Pad", "Concat"),
    ]
)
FUSED = frozenset(
    [
        *("Relu", "Clip", "LeakyRelu", "PRelu", "Elu", "Sigmoid", "HardSigmoid", "HardSwish", "Mish", "Tanh"),
        *("Add", "Sub", "Mul", "Div"),
    ]
)


def policy(device: Device) -> Policy:
    """What the CPU plugin computes in integers: products of uint8 and int8.

    The activation behind a product and the sum behind that are post-operations of its kernel, in float, and
    the rounding for the next product ends it: so nothing is rounded in between. What a Concat joins has one
    grid, or it would be joined in float. A depthwise kernel takes a scale and zero point for every channel.
    """
    return Policy(
        "OpenVINO CPU",
        KERNEL,
        SAME,
        frozenset(),
        per_channel=device.per_channel,
        writes_real=True,
        fused=FUSED,
        channelwise=device.per_channel,
        weight_bits=7 if device.saturates else 8,
        computed=frozenset({"float16", "bfloat16"}),
    )


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
    openvino_files.package()  # raises where it is missing
    return OpenVinoSession(*compile_files(artifact.files, threads, taps))


version = openvino_files.version


def node_times(models: Sequence[Model], *, threads: int = 0) -> list[NodeTimes]:
    """The seconds of every node of each model, timed in turns."""
    timed = import_module("paredown.runtimes.openvino_nodes").node_times(models, threads=threads)
    return cast(list[NodeTimes], timed)
