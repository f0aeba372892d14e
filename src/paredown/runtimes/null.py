"""The runtime `null`: answers zeros of the right shapes at once. What is measured with it is the harness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

from paredown.device import Device
from paredown.model import TensorSpec
from paredown.protocols import Array, Artifact
from paredown.runtimes import onnxruntime, proto
from paredown.runtimes.artifact import as_it_is
from paredown.runtimes.tensors import check_feeds

MULTITHREADED = False
SUMMARY = "computes nothing and answers zeros; opens .onnx as it is"
SHIPS = onnxruntime.SHIPS  # a model is made as for that
node_times = None
policy = onnxruntime.policy  # a model is made as for that, and then not computed


class NullSession:
    """Zeros of the declared shapes; a dimension left open is 1."""

    def __init__(self, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> None:
        self.inputs, self.outputs = inputs, outputs
        self._answers: dict[str, Array] = {
            o.name: np.zeros([1 if d is None else d for d in o.shape], np.dtype(o.dtype)) for o in outputs
        }

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The same zeros every time, after the same checks as any runtime."""
        check_feeds(feeds, self.inputs)
        return dict(self._answers)


def build(model: bytes | Path, device: Device, folder: Path, precision: str = "") -> Artifact:
    """The model itself, of which only the inputs and outputs are read."""
    return as_it_is(model, "the null runtime", precision)


def open(artifact: Artifact, *, threads: int = 0, taps: Sequence[str] = ()) -> NullSession:
    """A session that knows the model's inputs and outputs and nothing else of it."""
    graph = proto.with_outputs(artifact.source, taps).graph
    stored = {i.name for i in graph.initializer}
    return NullSession(proto.specs(i for i in graph.input if i.name not in stored), proto.specs(graph.output))


def version() -> str:
    """Of this package: the null runtime is part of it."""
    return metadata.version("paredown")
