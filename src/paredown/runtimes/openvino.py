"""The runtime `openvino`: OpenVINO on the CPU. The package is imported where it is needed, never before.

The precision of the float part is said outright, float32 where nothing else was asked: left to itself
OpenVINO takes bfloat16 on CPUs with AMX and float16 on ARM. It is kept in model.xml, with the names that the
ONNX model gives its inputs and outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
    "read and saved by OpenVINO itself",
)


def policy(device: Device) -> Policy:
    """That of ONNX Runtime: the CPU plugin computes these operators in integers too, its weights signed.

    It could round less, see docs/openvino.md: these sets do not tell an activation that is fused.
    """
    onnxruntime = import_module("paredown.runtimes.onnxruntime")  # not in a measured process
    like: Policy = onnxruntime.policy(device)
    return replace(
        like,
        name="OpenVINO CPU",
        weights="int8",
        computed=frozenset({"float16", "bfloat16"}),
        stored=frozenset(),
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
