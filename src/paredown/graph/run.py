"""Running a graph for its values: the small session that graph work itself needs."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping

import numpy as np
import onnxruntime as ort

from paredown.errors import UnsupportedModel
from paredown.graph.session_options import session_options
from paredown.model import Model
from paredown.preprocessing.others import IMAGE, filled
from paredown.protocols import Array


def open_session(
    data: bytes, threads: int = 0, optimize: bool = True, frugal: bool = False, arena: bool = True
) -> ort.InferenceSession:
    """An ONNX Runtime CPU session. Raises UnsupportedModel with the runtime's own reason.

    threads: 0 takes all usable physical cores. frugal: nodes run as soon as a tensor can be freed by it, and
    nothing is laid out ahead. An instrumented graph, whose statistics all hang off the end otherwise, then
    needs a third less memory at the same speed. arena: whether what was freed is kept for the next run, up to
    twice what is needed: worth it for many images. Beside what is kept of each, a heap falls to pieces.
    """
    give_back()
    options = session_options(threads)
    if frugal:
        options.enable_mem_pattern = False
        options.execution_order = ort.ExecutionOrder.PRIORITY_BASED
    options.enable_cpu_mem_arena = arena
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base class
        raise UnsupportedModel("ONNX Runtime cannot run this graph", got=_reason(error)) from error


def give_back() -> None:
    """Hands the memory of sessions that were closed back to the system.

    glibc keeps freed blocks of a session's size, and between them the next session finds no room: a recipe
    that opens a hundred held twice what it needed. Other C libraries have no such call, nor the habit.
    """
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


def run_once(data: bytes, feeds: Mapping[str, Array], optimize: bool = False) -> dict[str, Array]:
    """Outputs by name for one set of feeds, by default without graph optimisation."""
    session = open_session(data, optimize=optimize)
    names = [o.name for o in session.get_outputs()]
    try:
        return dict(zip(names, session.run(names, dict(feeds)), strict=True))
    except Exception as error:
        raise UnsupportedModel("ONNX Runtime failed while running this graph", got=_reason(error)) from error


def random_feeds(model: Model, seed: int) -> dict[str, Array]:
    """Uniform 0..1 floats (0..255 for integers) in the shape of every input; what the model's card says of
    the inputs beside the image."""
    rng = np.random.default_rng(seed)
    feeds: dict[str, Array] = {}
    said = {} if model.card is None else dict(model.card.preprocess.others)
    for spec in model.inputs:
        if spec.name in said and said[spec.name] != IMAGE:
            feeds[spec.name] = filled(spec, said[spec.name])
            continue
        shape = tuple(1 if d is None else d for d in spec.shape)
        dtype = np.dtype(spec.dtype)
        values = rng.random(shape) if dtype.kind == "f" else rng.integers(0, 256, shape)
        feeds[spec.name] = values.astype(dtype)
    return feeds


def _reason(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__).split("] : ")[-1][:300]
