"""The runtime `litert`: TensorFlow Lite's successor, on the CPU, from a TFLite file of our own writing."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module, metadata
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import onnx

from paredown.device import Device
from paredown.errors import MissingDependency, TargetError
from paredown.files import write_whole
from paredown.graph.load import from_proto, load_model, parse, to_proto
from paredown.graph.precision import quantized_ops
from paredown.graph.prepare import prepare
from paredown.model import Model
from paredown.policy import Policy
from paredown.protocols import Artifact, Shipping
from paredown.runtimes.artifact import stem_of
from paredown.runtimes.litert_session import LitertSession, read_tflite, tflite_interpreter
from paredown.runtimes.tflite.layout import channels_last, plain

PACKAGE = "ai-edge-litert"
MULTITHREADED = True
SUMMARY = "float32, INT8, weights of 4 bits; opens the .tflite that is written of the model"
SHIPS = Shipping(
    "paredown.runtimes.litert_session",
    "open_tflite",
    PACKAGE,
    ("model.tflite",),
    "written by Paredown, node by node",
)
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
    return Policy(
        "LiteRT CPU",
        KERNEL,
        SAME,
        ABSORBED,
        per_channel=device.per_channel,
        stored=frozenset({"float16"}),
        dynamic=False,
    )


def build(model: bytes | Path, device: Device, folder: Path, precision: str = "") -> Artifact:
    """STEM.tflite in the folder ("model" is the stem of a model in memory).

    It is float, or in the integers that the model's Q/DQ pairs say. Raises UnsupportedModel that names the
    node which cannot be written.
    """
    if precision:
        raise TargetError("LiteRT computes a model in the numbers that it is written in", got=precision)
    started = time.perf_counter()
    given = _loaded(model)
    ready = given if quantized_ops(given) or _stored_small(given) else prepare(given)
    data = import_module("paredown.runtimes.tflite").write(ready)
    path = folder / f"{stem_of(model)}.tflite"
    write_whole(path, data)
    seconds = time.perf_counter() - started
    return Artifact((path,), hashlib.sha256(data).hexdigest(), len(data), seconds)


def _stored_small(model: Model) -> bool:
    """Whether the file stores weights in float16 or int8, which preparing would make float32."""
    small = (onnx.TensorProto.FLOAT16, onnx.TensorProto.INT8)
    return any(t.data_type in small for t in to_proto(model).graph.initializer)


def _loaded(model: bytes | Path) -> Model:
    return load_model(model) if isinstance(model, Path) else from_proto(parse(model, "the model"), "model")


def open(artifact: Artifact, *, threads: int = 0, taps: Sequence[str] = ()) -> LitertSession:
    """A session on XNNPACK's kernels; with `taps` on LiteRT's own, which keep what lies between.

    threads: 0 takes all usable physical cores.
    """
    _require()
    data = artifact.source if isinstance(artifact.source, bytes) else read_tflite(artifact.source)
    with _without_greeting():
        interpreter = tflite_interpreter(data, threads, keep_inner=bool(taps))
    return LitertSession(interpreter, _layouts(interpreter, data, taps))


@contextmanager
def _without_greeting() -> Iterator[None]:
    """LiteRT writes which delegate it made to stderr, past Python: such lines of INFO go, others pass on."""
    kept = os.dup(2)
    with TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            said.seek(0)
            for line in said:
                if not line.startswith(b"INFO: "):
                    os.write(2, line)


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


def version() -> str:
    """Of the package ai-edge-litert. Raises MissingDependency."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise MissingDependency("ai-edge-litert", "litert", "the runtime litert") from error


def _require() -> None:
    try:
        import_module("ai_edge_litert.interpreter")
    except ImportError as error:
        raise MissingDependency("ai-edge-litert", "litert", "the runtime litert") from error
