"""The tiny networks of `paredown.testing`, and what is needed to compress, run and look into them."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from paredown._compress.compress import compress
from paredown._compress.presets import spelled
from paredown._compress.recipe import Compressed, Context
from paredown.device import Device
from paredown.graph.session_options import session_options
from paredown.hosts import open_host
from paredown.model import Model
from paredown.protocols import FeedSource
from paredown.runtimes.onnxruntime import policy
from paredown.testing.networks import (
    NETS,
    SIZE,
    Net,
    attention,
    classifier,
    depthwise,
    detector,
    feeds,
    images,
    residual,
)

__all__ = [
    "NETS",
    "SIZE",
    "Net",
    "attention",
    "classifier",
    "depthwise",
    "detector",
    "feeds",
    "images",
    "residual",
]

ANY_BOARD = Device("any-board", "what every device can do")
POLICY = policy(ANY_BOARD)


def compressed(
    model: Model,
    recipe: str,
    *,
    given: FeedSource = feeds,
    device: Device = ANY_BOARD,
    **more: object,
) -> Compressed:
    """A prepared model after a recipe, calibrated on four images or on those given."""
    context = Context(model, given, device, policy(device), **more)  # type: ignore[arg-type]
    return compress(spelled(recipe), context)


def run(model: Model, image: np.ndarray | dict[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs in order, for an image or feeds, on ONNX Runtime; also right where 8-bit sums saturate."""
    options = session_options(exact_products=open_host().facts().saturates)
    session = ort.InferenceSession(model.data, options, providers=["CPUExecutionProvider"])
    return list(session.run(None, image if isinstance(image, dict) else {model.inputs[0].name: image}))


def optimized(model: Model) -> onnx.ModelProto:
    """The graph that ONNX Runtime runs, its fused operators included."""
    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
        ort.InferenceSession(model.data, options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def ops(nodes: Iterable[onnx.NodeProto]) -> Counter[str]:
    """How often each operator stands there."""
    return Counter(node.op_type for node in nodes)


def agreement(want: np.ndarray, got: np.ndarray) -> float:
    """Root mean squared difference over the spread of what is wanted."""
    return float(np.sqrt(np.mean((want - got) ** 2)) / max(float(np.std(want)), 1e-9))
