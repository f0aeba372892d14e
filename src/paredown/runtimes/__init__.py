"""Runtimes: what opens a model and runs it. `runtime(name)` gives the module, imported when it is asked for.

A runtime is one file with the functions of `protocols.Runtime` and one row in RUNTIMES.
"""

from __future__ import annotations

from importlib import import_module
from typing import cast

from paredown.errors import UnknownName
from paredown.protocols import Runtime

RUNTIMES = {
    "onnxruntime": "paredown.runtimes.onnxruntime",
    "openvino": "paredown.runtimes.openvino",
    "litert": "paredown.runtimes.litert",
    "ncnn": "paredown.runtimes.ncnn",
    "tensorrt": "paredown.runtimes.tensorrt",
    "reference": "paredown.runtimes.reference",
    "null": "paredown.runtimes.null",
}
"""Name -> the module, which is imported when it is needed."""

STAND_INS = frozenset({"reference", "null"})
"""Those that no device runs: the definition of the truth, and of nothing."""

SIMULATED_BY = {"tensorrt": "onnxruntime"}
"""A runtime that opens only what it built on its own device -> what computes the same file elsewhere."""


def runtime(name: str) -> Runtime:
    """The runtime of that name. Raises UnknownName."""
    if name not in RUNTIMES:
        raise UnknownName("runtime", name, RUNTIMES)
    return cast(Runtime, import_module(RUNTIMES[name]))
