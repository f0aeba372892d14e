"""The runtime `reference`: the evaluator that comes with ONNX. Slow and obvious: it defines the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
from onnx import version_converter
from onnx.reference import ReferenceEvaluator

from paredown.device import Device
from paredown.errors import ModelError, TargetError
from paredown.policy import Policy
from paredown.protocols import Array, Artifact
from paredown.runtimes import onnxruntime, proto
from paredown.runtimes.artifact import as_it_is
from paredown.runtimes.tensors import check_feeds

_REFUSED = (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError, NotImplementedError)
"""What the evaluator's numpy code raises on a model it cannot run; it wraps none of it."""

_PAIRS_SINCE = 19
"""The first opset whose QuantizeLinear and DequantizeLinear the evaluator has."""

MULTITHREADED = False
SUMMARY = "ONNX's own evaluator in numpy, whatever the model is written in; opens .onnx as it is"
SHIPS = onnxruntime.SHIPS  # whose files it checks
node_times = None


def policy(device: Device) -> Policy:
    """That of ONNX Runtime, whose files it checks; its own sums never saturate."""
    return replace(onnxruntime.policy(device), weight_bits=8)


class ReferenceSession:
    """A model in the ONNX reference evaluator."""

    def __init__(self, evaluator: Any, model: Any) -> None:
        self._evaluator = evaluator
        stored = {i.name for i in model.graph.initializer}
        self.inputs = proto.specs(i for i in model.graph.input if i.name not in stored)
        self.outputs = proto.specs(model.graph.output)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name. Raises TargetError where the evaluator stops."""
        check_feeds(feeds, self.inputs)
        try:
            answers = self._evaluator.run(None, dict(feeds))
        except _REFUSED as e:
            raise TargetError("the reference evaluator stopped", got=f"{type(e).__name__}: {e}") from e
        return {spec.name: answer for spec, answer in zip(self.outputs, answers, strict=True)}


def build(model: bytes | Path, device: Device, folder: Path, precision: str = "") -> Artifact:
    """The model itself."""
    return as_it_is(model, "the reference evaluator", precision)


def open(artifact: Artifact, *, threads: int = 0, taps: Sequence[str] = ()) -> ReferenceSession:
    """A session of the model, Q and DQ in a form that the evaluator has. `threads`: it has one anyway."""
    graph = proto.with_outputs(artifact.source, taps)
    pairs = any(n.op_type in ("QuantizeLinear", "DequantizeLinear") for n in graph.graph.node)
    opset = max((i.version for i in graph.opset_import if i.domain in ("", "ai.onnx")), default=0)
    try:
        if pairs and opset < _PAIRS_SINCE:
            graph = version_converter.convert_version(graph, _PAIRS_SINCE)
        return ReferenceSession(ReferenceEvaluator(graph), graph)
    except _REFUSED as e:
        raise ModelError(
            "the reference evaluator cannot read the model", got=f"{type(e).__name__}: {e}"
        ) from e


def version() -> str:
    """Of the package onnx, which the evaluator comes with."""
    return str(onnx.__version__)
