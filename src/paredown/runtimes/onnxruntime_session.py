"""A model opened by ONNX Runtime on the CPU.

The bundle's `detect.py` carries this file: nothing but onnxruntime and numpy is needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state

from paredown.errors import ModelError, ParedownError, TargetError
from paredown.graph.session_options import session_options
from paredown.model import TensorSpec
from paredown.protocols import Array
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


def open_onnx(files: Sequence[Path], threads: int, *, exact_products: bool = False) -> OrtSession:
    """A session of the ONNX file, as `onnx_session` gives it."""
    return onnx_session(str(files[0]), threads, exact_products=exact_products)


def onnx_session(model: str | bytes, threads: int, *, exact_products: bool = False) -> OrtSession:
    """A session with all graph optimisations on. model: a path, or the bytes. See `session_options`.

    Raises: ModelError, TargetError.
    """
    options = session_options(threads, exact_products=exact_products)
    try:
        return OrtSession(onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]))
    except _BAD_MODEL as e:
        raise ModelError("ONNX Runtime cannot read the model", got=_useful(e)) from e
    except _REFUSED as e:
        raise _refusal(e) from e


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
