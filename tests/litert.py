"""Running a TFLite file on LiteRT; tests that import this are skipped where LiteRT is not installed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from paredown.model import Model
from paredown.runtimes.tflite.write import lowered

interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")


def run(data: bytes, *inputs: np.ndarray, reference: bool = False) -> dict[str, np.ndarray]:
    """The outputs by name, in order; inputs as the ONNX model takes them, images go in as NHWC.

    reference: with the plain kernels, not those of XNNPACK.
    """
    kinds = interpreter.OpResolverType
    resolver = kinds.BUILTIN_REF if reference else kinds.AUTO
    runner = interpreter.Interpreter(
        model_content=data, num_threads=1, experimental_op_resolver_type=resolver
    )
    runner.allocate_tensors()
    for place, value in zip(runner.get_input_details(), inputs, strict=True):
        turned = value.transpose(0, 2, 3, 1) if value.ndim == 4 else value
        runner.set_tensor(place["index"], np.ascontiguousarray(turned))
    runner.invoke()
    return {d["name"]: runner.get_tensor(d["index"]) for d in runner.get_output_details()}


def codes(model: Model) -> Counter[str]:
    """How often each of TFLite's operators stands in the file of a model."""
    return Counter(op.code for op in lowered(model).operators)
