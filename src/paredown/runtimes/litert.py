"""The runtime `litert`: TensorFlow Lite's successor, on the CPU, from a TFLite file of our own writing."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np

from paredown.cores import usable_cores
from paredown.device import Device
from paredown.errors import MissingDependency, ModelError, TargetError
from paredown.files import write_whole
from paredown.graph.load import from_proto, load_model, parse
from paredown.graph.precision import quantized_ops
from paredown.graph.prepare import prepare
from paredown.model import Model, TensorSpec
from paredown.policy import Policy
from paredown.protocols import Array, Artifact
from paredown.runtimes.artifact import stem_of
from paredown.runtimes.tensors import check_feeds
from paredown.runtimes.tflite.layout import channels_last, plain

PACKAGE = "ai-edge-litert"
MULTITHREADED = True
SUMMARY = "float32, INT8, weights of 4 bits; opens the .tflite that is written of the model"
node_times = None  # LiteRT's profiler is not in its Python package
KERNEL = frozenset(
    ["Conv", "Gemm", "MatMul", "Add", "Sub", "Mul", "Sigmoid", "LeakyRelu", "Concat", "GlobalAveragePool"]
)
SAME = frozenset(
    [
        *("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Split", "Slice", "Gather", "Identity"),
        *("MaxPool", "Resize", "Pad"),
    ]
)
ABSORBED = frozenset(["Relu", "Clip"])


def policy(device: Device) -> Policy:
    """Eight bits, a scale for every channel of a weight, sums of 32 bits on every CPU.

    The types are those of the graph: its uint8 activations are INT8 in the file, 128 lower.
    """
    return Policy("LiteRT CPU", KERNEL, SAME, ABSORBED, per_channel=device.per_channel)


class LitertSession:
    """A TFLite file in LiteRT's interpreter. Feeds are NCHW, as the ONNX model takes them; an image that lies
    as NHWC in memory goes in without a copy."""

    def __init__(self, interpreter: Any, taps: Mapping[str, tuple[int, ...]]) -> None:
        self._interpreter, self._taps = interpreter, taps
        self._inputs = interpreter.get_input_details()
        self._outputs = interpreter.get_output_details()
        self._inner = {d["name"]: d for d in interpreter.get_tensor_details() if d["name"] in taps}
        self.inputs = tuple(_spec(d, image=True) for d in self._inputs)
        self.outputs = tuple(_spec(d) for d in self._outputs)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name, then the inner tensors asked for. Raises TargetError where LiteRT stops."""
        check_feeds(feeds, self.inputs)
        for place in self._inputs:
            value = feeds[place["name"]]
            ready = value.transpose(channels_last(4)) if value.ndim == 4 else value
            self._interpreter.set_tensor(place["index"], np.ascontiguousarray(ready))
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise TargetError("LiteRT stopped while running the model", got=_reason(error)) from error
        answers = {d["name"]: self._interpreter.get_tensor(d["index"]) for d in self._outputs}
        return answers | {name: self._tapped(name) for name in self._taps if name not in answers}

    def _tapped(self, name: str) -> Array:
        """An inner tensor as real numbers, in ONNX's order."""
        place = self._inner[name]
        value: Array = self._interpreter.get_tensor(place["index"])
        scale, zero_point = place["quantization"]
        if scale:
            value = np.asarray((value.astype(np.float32) - zero_point) * np.float32(scale), np.float32)
        return value.transpose(np.argsort(self._taps[name]))


def build(model: bytes | Path, device: Device, folder: Path, precision: str = "") -> Artifact:
    """STEM.tflite in the folder ("model" is the stem of a model in memory).

    It is float, or in the integers that the model's Q/DQ pairs say. Raises UnsupportedModel that names the
    node which cannot be written.
    """
    if precision:
        raise TargetError("LiteRT computes a model in the numbers that it is written in", got=precision)
    started = time.perf_counter()
    given = _loaded(model)
    ready = given if quantized_ops(given) else prepare(given)
    data = import_module("paredown.runtimes.tflite").write(ready)
    path = folder / f"{stem_of(model)}.tflite"
    write_whole(path, data)
    seconds = time.perf_counter() - started
    return Artifact((path,), hashlib.sha256(data).hexdigest(), len(data), seconds)


def _loaded(model: bytes | Path) -> Model:
    return load_model(model) if isinstance(model, Path) else from_proto(parse(model, "the model"), "model")


def open(artifact: Artifact, *, threads: int = 0, taps: Sequence[str] = ()) -> LitertSession:
    """A session on XNNPACK's kernels; with `taps` on LiteRT's own, which keep what lies between.

    threads: 0 takes all usable physical cores.
    """
    litert = _import("ai_edge_litert.interpreter")
    data = artifact.source if isinstance(artifact.source, bytes) else _read(artifact.source)
    kinds = litert.OpResolverType
    try:
        interpreter = litert.Interpreter(
            model_content=data,
            num_threads=threads or usable_cores(),
            experimental_op_resolver_type=kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES if taps else kinds.AUTO,
            experimental_preserve_all_tensors=bool(taps),
        )
        interpreter.allocate_tensors()
    except ValueError as error:
        raise ModelError("LiteRT cannot read the model", got=_reason(error)) from error
    except RuntimeError as error:
        raise TargetError("LiteRT refused the model", got=_reason(error)) from error
    return LitertSession(interpreter, _layouts(interpreter, data, taps))


def _layouts(interpreter: Any, data: bytes, taps: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The order of axes in which the file holds the tensors asked for. Raises TargetError for one that is
    not in it."""
    if not taps:
        return {}
    notes = import_module("paredown.runtimes.tflite.flatbuffer").read_layouts(data)
    ranks = {d["name"]: len(d["shape"]) for d in interpreter.get_tensor_details()}
    missing = [name for name in taps if name not in ranks]
    if missing:
        raise TargetError(
            f"the TFLite file has no tensor {missing[0]!r}",
            hint="an activation behind it was taken into its node, or its values are not moved at all",
        )
    usual = {4: channels_last(4)}
    return {t: notes.get(t) or usual.get(ranks[t]) or plain(ranks[t]) for t in taps}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path.name}", got=error.strerror) from error


def version() -> str:
    """Of the package ai-edge-litert. Raises MissingDependency."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise MissingDependency("ai-edge-litert", "litert", "the runtime litert") from error


def _import(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingDependency("ai-edge-litert", "litert", "the runtime litert") from error


def _spec(details: Any, image: bool = False) -> TensorSpec:
    """As the ONNX model has it: an image is NHWC in the file."""
    shape = tuple(int(d) for d in details["shape"])
    if image and len(shape) == 4:
        shape = (shape[0], shape[3], shape[1], shape[2])
    return TensorSpec(details["name"], shape, np.dtype(details["dtype"]).name)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
