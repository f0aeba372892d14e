"""The runtime `onnxruntime`: ONNX Runtime on the CPU. Imports no onnx: a measured process is what ships."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state

from paredown.device import Device
from paredown.errors import ModelError, ParedownError, TargetError
from paredown.graph.session_options import session_options
from paredown.model import Model, TensorSpec
from paredown.policy import Policy
from paredown.protocols import Array, Artifact, NodeTimes
from paredown.runtimes.artifact import as_it_is
from paredown.runtimes.tensors import check_feeds

_NUMPY = {
    "float": "float32",
    "double": "float64",
    "string": "object",
}  # every other ONNX Runtime type is spelled as numpy does
_BAD_MODEL = (state.InvalidProtobuf, state.InvalidGraph, state.NoModel, state.NoSuchFile)
_REFUSED = (
    state.Fail,
    state.InvalidArgument,
    state.NotImplemented,
    state.RuntimeException,
    state.EPFail,
    state.EngineError,
    RuntimeError,
    ValueError,  # the Python side of the border: a feed that is no tensor
)

MULTITHREADED = True
SUMMARY = "float32, float16, INT8, weights of 4 bits; opens .onnx as it is"
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
    )


class OrtSession:
    """A model compiled by ONNX Runtime for the CPU."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.inputs = tuple(_spec(i) for i in session.get_inputs())
        self.outputs = tuple(_spec(o) for o in session.get_outputs())
        self._names = [o.name for o in self.outputs]

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name. Raises TargetError where the runtime stops."""
        try:
            answers = self._session.run(self._names, feeds)
        except _REFUSED as e:
            check_feeds(feeds, self.inputs)  # says it better, where the feeds are the reason
            raise TargetError("ONNX Runtime stopped while running the model", got=_useful(e)) from e
        return dict(zip(self._names, answers, strict=True))


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
    given = str(source) if isinstance(source, Path) else source
    options = session_options(threads)
    try:
        return OrtSession(onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"]))
    except _BAD_MODEL as e:
        raise ModelError("ONNX Runtime cannot read the model", got=_useful(e)) from e
    except _REFUSED as e:
        raise _refusal(e) from e


def version() -> str:
    """Of the package onnxruntime."""
    return str(onnxruntime.__version__)


def _refusal(error: Exception) -> ParedownError:
    text = _useful(error)
    if "protobuf" in text:
        return ModelError("ONNX Runtime cannot read the model", got=text)
    if "opset" in text and "support" in text:
        hint = "a newer onnxruntime knows newer opsets: pip install -U onnxruntime"
        return TargetError("ONNX Runtime is too old for this model", got=text, hint=hint)
    return TargetError("ONNX Runtime refused the model", got=text)


def _useful(error: Exception) -> str:
    """The part of the runtime's text that helps: without its prefixes, source positions and stack traces."""
    text = str(error).split("Stacktrace:")[0]
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"\S*/onnxruntime/\S+:\d+ .*?\) ?", "", text)
    text = re.sub(r"Load model from .+? failed:\s*", "", text)
    return " ".join(text.split()) or type(error).__name__


def _spec(info: Any) -> TensorSpec:
    word = info.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(d if isinstance(d, int) else None for d in info.shape or ())
    return TensorSpec(info.name, shape, _NUMPY.get(word, word))


def node_times(models: Sequence[Model], *, threads: int = 0) -> list[NodeTimes]:
    """The seconds of every node of each model, timed in turns."""
    timed: list[NodeTimes] = import_module("paredown.runtimes.onnxruntime_nodes").node_times(
        models, threads=threads
    )
    return timed
