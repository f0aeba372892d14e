"""A network opened by ncnn.

The bundle's `detect.py` carries this file: nothing but ncnn and numpy is needed.
"""

from __future__ import annotations

import json
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

_HALVES = {
    "float16": ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"),
    "bfloat16": ("use_bf16_packed", "use_bf16_storage"),
}
"""Precision -> the options of ncnn for it. All others are switched off: "" is float32 and nothing else."""


class NcnnSession:
    """A network in ncnn. Its blobs have no batch axis; feeds and answers are those of the ONNX model."""

    def __init__(self, net: Any, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> None:
        self._net, self._mat = net, import_module("ncnn").Mat
        self.inputs, self.outputs = inputs, outputs

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name. Raises TargetError where a layer fails."""
        check_feeds(feeds, self.inputs)
        extractor = self._net.create_extractor()
        for i, spec in enumerate(self.inputs):
            # A clone lies as ncnn wants it: every channel on an address of its own alignment.
            extractor.input(f"in{i}", self._mat(np.ascontiguousarray(feeds[spec.name][0])).clone())
        answers: dict[str, Array] = {}
        for i, spec in enumerate(self.outputs):
            code, blob = extractor.extract(f"out{i}")
            answer = np.array(blob) if code == 0 else np.empty(0)
            shape = [-1 if d is None else d for d in spec.shape]
            if answer.size != np.prod(shape):
                raise TargetError(f"ncnn gave no {spec.name!r}", got=f"code {code}, shape {answer.shape}")
            answers[spec.name] = answer.reshape(shape)
        return answers


def open_ncnn(files: Sequence[Path], threads: int) -> NcnnSession:
    """A session of the .param, the .bin and the .json. threads: 0 takes all usable physical cores.

    Raises: ModelError.
    """
    ncnn = import_module("ncnn")
    param, weights, names = files
    try:
        said = json.loads(names.read_bytes())
    except (OSError, ValueError) as e:
        raise ModelError(f"cannot read {names.name}", got=e) from e
    net = ncnn.Net()
    net.opt.use_vulkan_compute = False
    for precision, options in _HALVES.items():
        for option in options:
            setattr(net.opt, option, precision == said["precision"])
    net.opt.num_threads = threads or usable_cores()
    if net.load_param(str(param)) != 0 or net.load_model(str(weights)) != 0:
        raise ModelError("ncnn cannot read the network", got=param.name)
    specs = [[TensorSpec(n, tuple(s), "float32") for n, s in said[kind]] for kind in ("inputs", "outputs")]
    return NcnnSession(net, tuple(specs[0]), tuple(specs[1]))
