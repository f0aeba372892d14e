"""An engine run by TensorRT on a GPU.

The bundle's `detect.py` carries this file: nothing but tensorrt, the CUDA runtime that comes with it, and
numpy is needed. Memory of the GPU is taken and copied through the CUDA runtime itself, by ctypes.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from paredown.errors import ModelError, TargetError
from paredown.model import TensorSpec
from paredown.protocols import Array
from paredown.runtimes.tensors import check_feeds

_LIBRARIES = ("libcudart.so", "libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0", "libcudart.so.10.2")
_TO_GPU, _FROM_GPU = 1, 2  # cudaMemcpyKind
_ADDRESS = ctypes.c_void_p
_ARGUMENTS = {
    "cudaGetDeviceCount": (ctypes.POINTER(ctypes.c_int),),
    "cudaMalloc": (ctypes.POINTER(_ADDRESS), ctypes.c_size_t),
    "cudaFree": (_ADDRESS,),
    "cudaMemcpy": (_ADDRESS, _ADDRESS, ctypes.c_size_t, ctypes.c_int),
    "cudaStreamCreate": (ctypes.POINTER(_ADDRESS),),
    "cudaStreamSynchronize": (_ADDRESS,),
    "cudaStreamDestroy": (_ADDRESS,),
}
"""The functions of the CUDA runtime that are called, and what they take."""


class TensorRtSession:
    """An engine, its context, and memory of the GPU for each of its inputs and outputs."""

    def __init__(self, engine: Any) -> None:
        trt = import_module("tensorrt")
        self._engine, self._context = engine, engine.create_execution_context()
        self._stream = address_from("cudaStreamCreate")
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        specs = {name: _spec(engine, name) for name in names}
        given = {n for n in names if engine.get_tensor_mode(n) == trt.TensorIOMode.INPUT}
        self.inputs = tuple(specs[n] for n in names if n in given)
        self.outputs = tuple(specs[n] for n in names if n not in given)
        self._answers = {s.name: np.empty([int(d or 1) for d in s.shape], s.dtype) for s in self.outputs}
        self._places: dict[str, int] = {}
        for spec in (*self.inputs, *self.outputs):
            size = int(np.prod([int(d or 1) for d in spec.shape])) * np.dtype(spec.dtype).itemsize
            self._places[spec.name] = address_from("cudaMalloc", size)
            self._context.set_tensor_address(spec.name, self._places[spec.name])

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name, copied back. Raises TargetError where TensorRT or CUDA stops."""
        check_feeds(feeds, self.inputs)
        for spec in self.inputs:
            value = np.ascontiguousarray(feeds[spec.name])
            _cuda("cudaMemcpy", self._places[spec.name], value.ctypes.data, value.nbytes, _TO_GPU)
        if not self._context.execute_async_v3(self._stream):
            raise TargetError("TensorRT stopped while running the model")
        _cuda("cudaStreamSynchronize", self._stream)
        for name, answer in self._answers.items():
            _cuda("cudaMemcpy", answer.ctypes.data, self._places[name], answer.nbytes, _FROM_GPU)
        return {name: answer.copy() for name, answer in self._answers.items()}

    def __del__(self) -> None:
        for place in getattr(self, "_places", {}).values():
            _cuda("cudaFree", place)
        if getattr(self, "_stream", 0):
            _cuda("cudaStreamDestroy", self._stream)


def open_engine(files: Sequence[Path], threads: int) -> TensorRtSession:
    """A session of the engine in the first file. threads: of the CPU, which computes nothing of it.

    Raises: ModelError where this TensorRT or this GPU is not the one that the engine was built for.
    """
    trt = import_module("tensorrt")
    require_gpu()
    runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
    engine = runtime.deserialize_cuda_engine(files[0].read_bytes())
    if engine is None:
        raise ModelError(
            "TensorRT cannot read the engine",
            got=files[0].name,
            expected=f"one built by TensorRT {trt.__version__} on this very kind of GPU",
            hint="build it here: the command stands in build.txt",
        )
    return TensorRtSession(engine)


def require_gpu() -> None:
    """Nothing, or TargetError where there is no CUDA runtime, or no GPU."""
    count = ctypes.c_int(0)
    _cuda("cudaGetDeviceCount", ctypes.byref(count))
    if count.value < 1:
        raise TargetError("TensorRT needs a GPU of NVIDIA", got="none that CUDA can see")


def address_from(function: str, *arguments: int) -> int:
    """The address that the function of CUDA gives: of memory on the GPU, of a stream."""
    address = _ADDRESS()
    _cuda(function, ctypes.byref(address), *arguments)
    return int(address.value or 0)


@cache
def cuda_library() -> Any:
    """The CUDA runtime. Raises TargetError where the system has none."""
    found = ctypes.util.find_library("cudart")
    wheels = (file for place in sys.path for file in Path(place).glob("nvidia/*/lib/libcudart.so*"))
    for name in (*([found] if found else []), *map(str, wheels), *_LIBRARIES):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise TargetError(
        "TensorRT needs CUDA", got="no libcudart", hint="install JetPack, or pip install tensorrt"
    )


def _cuda(function: str, *arguments: Any) -> None:
    """Calls it. Raises TargetError with CUDA's own words where it fails."""
    library = cuda_library()
    called = getattr(library, function)
    called.argtypes = _ARGUMENTS[function]
    if code := called(*arguments):
        words = library.cudaGetErrorString
        words.restype = ctypes.c_char_p
        raise TargetError(f"CUDA failed in {function}", got=f"{code}: {(words(code) or b'').decode()}")


def _spec(engine: Any, name: str) -> TensorSpec:
    trt = import_module("tensorrt")
    kind = np.dtype(trt.nptype(engine.get_tensor_dtype(name))).name
    return TensorSpec(name, tuple(int(d) for d in engine.get_tensor_shape(name)), kind)
