"""The runtime `reference`: the evaluator that comes with ONNX. Slow and obvious: it defines the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onnx.reference import ReferenceEvaluator

from paredown.errors import ModelError, TargetError
from paredown.protocols import Array
from paredown.targets import proto
from paredown.targets.tensors import check_feeds

_REFUSED = (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError, NotImplementedError)
"""What the evaluator's numpy code raises on a model it cannot run; it wraps none of it."""


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


def compile(
    model: bytes | Path,
    *,
    threads: int = 0,
    extra_outputs: Sequence[str] = (),
    optimized_path: Path | None = None,
) -> ReferenceSession:
    """A session of `model` as it is. `threads` changes nothing: the evaluator has one."""
    if optimized_path is not None:
        raise TargetError("the reference evaluator has no optimized graph to write")
    graph = proto.with_outputs(model, extra_outputs)
    try:
        return ReferenceSession(ReferenceEvaluator(graph), graph)
    except _REFUSED as e:
        raise ModelError(
            "the reference evaluator cannot read the model", got=f"{type(e).__name__}: {e}"
        ) from e
