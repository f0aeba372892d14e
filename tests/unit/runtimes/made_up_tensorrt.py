"""TensorRT and CUDA as this package calls them, made up: "GPU memory" is the host's, engines are ONNX files.

It shows that our side of the calls is right: names, shapes, addresses, copies. It shows nothing of TensorRT.
"""

from __future__ import annotations

import ctypes
import types
from typing import Any

import numpy as np
import onnx
import onnxruntime

MARK = b"an engine: "


class Cuda:
    """The CUDA runtime. held: the addresses that are not freed yet. devices: how many GPUs it sees."""

    def __init__(self, devices: int = 1) -> None:
        self.held: dict[int, Any] = {}
        self.devices = devices
        for name in ("GetDeviceCount", "Malloc", "Free", "Memcpy", "StreamCreate", "StreamSynchronize"):
            self._give(f"cuda{name}", getattr(self, f"_{name}"))
        self._give("cudaStreamDestroy", self._Free)
        self._give("cudaGetErrorString", lambda code: b"made-up trouble")

    def _give(self, name: str, function: Any) -> None:
        def call(*arguments: Any) -> Any:
            return function(*arguments)

        setattr(self, name, call)

    def _GetDeviceCount(self, into: Any) -> int:
        into._obj.value = self.devices
        return 0

    def _Malloc(self, into: Any, size: int) -> int:
        buffer = ctypes.create_string_buffer(max(size, 1))
        into._obj.value = ctypes.addressof(buffer)
        self.held[into._obj.value] = buffer
        return 0

    def _StreamCreate(self, into: Any) -> int:
        return self._Malloc(into, 1)

    def _Free(self, address: int) -> int:
        return 0 if self.held.pop(address, None) is not None else 1

    def _Memcpy(self, to: int, source: int, size: int, kind: int) -> int:
        ctypes.memmove(to, source, size)
        return 0

    def _StreamSynchronize(self, stream: int) -> int:
        return 0 if stream in self.held else 1


class Engine:
    """An ONNX file behind TensorRT's names; outputs first, as nothing promises an order."""

    def __init__(self, data: bytes) -> None:
        self.session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        ports = [*self.session.get_outputs(), *self.session.get_inputs()]
        self.given = {p.name for p in self.session.get_inputs()}
        self.ports = {p.name: p for p in ports}
        self.num_io_tensors = len(ports)

    def get_tensor_name(self, index: int) -> str:
        return list(self.ports)[index]

    def get_tensor_mode(self, name: str) -> str:
        return "input" if name in self.given else "output"

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.ports[name].shape)

    def get_tensor_dtype(self, name: str) -> str:
        return str(self.ports[name].type)

    def create_execution_context(self) -> Context:
        return Context(self)


class Context:
    def __init__(self, engine: Engine) -> None:
        self.engine, self.at = engine, dict[str, int]()

    def set_tensor_address(self, name: str, address: int) -> None:
        self.at[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        feeds = {name: self._array(name) for name in self.engine.given}
        names = [n for n in self.engine.ports if n not in self.engine.given]
        for name, answer in zip(names, self.engine.session.run(names, feeds), strict=True):
            self._array(name)[...] = answer
        return True

    def _array(self, name: str) -> np.ndarray:
        kind, shape = nptype(self.engine.get_tensor_dtype(name)), self.engine.get_tensor_shape(name)
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        raw = (ctypes.c_char * size).from_address(self.at[name])
        return np.frombuffer(raw, kind).reshape(shape)


def nptype(kind: str) -> type:
    return {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int64)": np.int64}[kind]


class Config:
    def __init__(self) -> None:
        self.flags = {"TF32"}

    def set_flag(self, flag: str) -> None:
        self.flags.add(flag)

    def clear_flag(self, flag: str) -> None:
        self.flags.discard(flag)


class Network:
    data = b""


class Parser:
    def __init__(self, network: Network, logger: object) -> None:
        self.network, self.num_errors = network, 0

    def parse(self, data: bytes) -> bool:
        self.network.data = data
        self.num_errors = int(any(n.op_type == "Softsign" for n in onnx.load_from_string(data).graph.node))
        return not self.num_errors

    def get_error(self, index: int) -> Any:
        return types.SimpleNamespace(desc=lambda: "no importer for Softsign")


def module(version: str = "10.3.0") -> Any:
    """The package tensorrt. configs: every configuration that an engine was built with."""
    trt: Any = types.ModuleType("tensorrt")
    trt.__version__, trt.configs = version, []
    trt.nptype, trt.OnnxParser = nptype, Parser
    trt.Logger = type("Logger", (), {"ERROR": 1, "__init__": lambda self, severity: None})
    trt.TensorIOMode = types.SimpleNamespace(INPUT="input", OUTPUT="output")
    trt.NetworkDefinitionCreationFlag = types.SimpleNamespace(EXPLICIT_BATCH=0)
    flags = {"TF32": "TF32"} | ({} if version >= "11" else {"INT8": "INT8", "FP16": "FP16"})
    trt.BuilderFlag = types.SimpleNamespace(**flags)

    class Builder:
        def __init__(self, logger: object) -> None:
            self.network_flags: int | None = None

        def create_network(self, flags: int) -> Network:
            trt.network_flags = flags
            return Network()

        def create_builder_config(self) -> Config:
            return Config()

        def build_serialized_network(self, network: Network, config: Config) -> bytes:
            trt.configs.append(config.flags)
            return MARK + network.data

    class Runtime:
        def __init__(self, logger: object) -> None:
            pass

        def deserialize_cuda_engine(self, data: bytes) -> Engine | None:
            return Engine(data.removeprefix(MARK)) if data.startswith(MARK) else None

    trt.Builder, trt.Runtime = Builder, Runtime
    return trt
