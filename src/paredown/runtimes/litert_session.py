"""A TFLite file opened by LiteRT.

The bundle's `detect.py` carries this file: nothing but ai-edge-litert and numpy is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from paredown.cores import usable_cores
from paredown.errors import ModelError, TargetError
from paredown.model import TensorSpec
from paredown.protocols import Array
from paredown.runtimes.tensors import check_feeds
from paredown.runtimes.tflite.layout import channels_last


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


def open_tflite(files: Sequence[Path], threads: int) -> LitertSession:
    """A session of the .tflite on XNNPACK's kernels."""
    return LitertSession(tflite_interpreter(read_tflite(files[0]), threads), {})


def tflite_interpreter(data: bytes, threads: int, *, keep_inner: bool = False) -> Any:
    """LiteRT's interpreter on XNNPACK's kernels, ready to run. threads: 0 takes all usable physical cores.

    keep_inner: on LiteRT's own kernels, which keep what lies between. Raises: ModelError, TargetError.
    """
    litert = import_module("ai_edge_litert.interpreter")
    kinds = litert.OpResolverType
    try:
        interpreter = litert.Interpreter(
            model_content=data,
            num_threads=threads or usable_cores(),
            experimental_op_resolver_type=kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            if keep_inner
            else kinds.AUTO,
            experimental_preserve_all_tensors=keep_inner,
        )
        interpreter.allocate_tensors()
    except ValueError as error:
        raise ModelError("LiteRT cannot read the model", got=_reason(error)) from error
    except RuntimeError as error:
        raise TargetError("LiteRT refused the model", got=_reason(error)) from error
    return interpreter


def read_tflite(path: Path) -> bytes:
    """The file's bytes. Raises ModelError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path.name}", got=error.strerror) from error


def _spec(details: Any, image: bool = False) -> TensorSpec:
    """As the ONNX model has it: an image is NHWC in the file."""
    shape = tuple(int(d) for d in details["shape"])
    if image and len(shape) == 4:
        shape = (shape[0], shape[3], shape[1], shape[2])
    return TensorSpec(details["name"], shape, np.dtype(details["dtype"]).name)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
