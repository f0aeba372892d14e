"""The runtime `onnxruntime`: ONNX Runtime on the CPU. Imports no onnx: a measured process is what ships."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import cast

import onnxruntime

from paredown.device import Device
from paredown.model import Model
from paredown.policy import Policy
from paredown.protocols import Artifact, NodeTimes, Shipping
from paredown.runtimes.artifact import as_it_is
from paredown.runtimes.onnxruntime_session import OrtSession, onnx_session

MULTITHREADED = True
SUMMARY = "float32, float16, INT8, weights of 4 bits; opens .onnx as it is"
SHIPS = Shipping(
    "paredown.runtimes.onnxruntime_session",
    "open_onnx",
    "onnxruntime",
    ("model.onnx",),
    "the ONNX file itself, as the recipe wrote it",
    exact_products=True,
)
KERNEL = frozenset(
    [
        "Conv",
        "Gemm",
        "MatMul",
        "Add",
        "Mul",
        "Sigmoid",
        "LeakyRelu",
        "Concat",
        "AveragePool",
        "GlobalAveragePool",
    ]
)
SAME = frozenset(
    [
        "Reshape",
        "Transpose",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "Split",
        "Slice",
        "Gather",
        "Identity",
        "MaxPool",
        "Resize",
        "Pad",
    ]
)
ABSORBED = frozenset(["Relu", "Clip"])


def policy(device: Device) -> Policy:
    """What the CPU kernels compute in integers: uint8 times int8, which is fast on x86 and right on ARM."""
    return Policy(
        "ONNX Runtime CPU",
        KERNEL,
        SAME,
        ABSORBED,
        activations=device.activations or "uint8",
        weights=device.weights or "int8",
        per_channel=device.per_channel,
        weight_bits=7 if device.saturates else 8,
        stored=frozenset({"float16"}),
    )


def build(model: bytes | Path, device: Device, folder: Path, precision: str = "") -> Artifact:
    """The model itself: ONNX Runtime opens it as it is."""
    return as_it_is(model, "ONNX Runtime", precision)


def open(artifact: Artifact, *, threads: int = 0, taps: Sequence[str] = ()) -> OrtSession:
    """A session with all graph optimisations on. threads: 0 takes all usable physical cores."""
    source = artifact.source
    if taps:
        # Imported here because most sessions, those of measured processes among them, must not hold onnx.
        proto = import_module("paredown.runtimes.proto")
        source = cast(bytes, proto.with_outputs(source, taps).SerializeToString())
    return onnx_session(str(source) if isinstance(source, Path) else source, threads)


def version() -> str:
    """Of the package onnxruntime."""
    return str(onnxruntime.__version__)


def node_times(models: Sequence[Model], *, threads: int = 0) -> list[NodeTimes]:
    """The seconds of every node of each model, timed in turns."""
    timed: list[NodeTimes] = import_module("paredown.runtimes.onnxruntime_nodes").node_times(
        models, threads=threads
    )
    return timed
