"""What each node of a model costs in OpenVINO, from the counters of its CPU plugin (PERF_COUNT).

The graph that the plugin runs names, for each of its kernels, the layers that were fused into it; they carry
the names of the ONNX model's nodes or tensors. A kernel counts for the product among them, else for the
first. A kernel that only changes a memory layout counts for the node whose result it turns, of an input for
what reads it. The counters are in whole microseconds; the least of a kernel's runs counts.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx

from paredown.graph.load import to_proto
from paredown.graph.run import random_feeds
from paredown.model import Model
from paredown.protocols import NodeTimes
from paredown.runtimes import openvino_files
from paredown.runtimes.openvino_session import compile_files
from paredown.runtimes.proto import precision_of

WARMUP = 3  # runs left out
ROUNDS = 10  # runs of each model, in turns: what slows the machine down slows all of them
_SUFFIX = re.compile(r"(/WithoutBiases|/fq_\w+|/transpose_[ab]|/sink_port_\d+|_QuantizeLinear|\.\d+)$")
_MEMORY = ("Const", "Reorder", "Reshape", "Input", "Output")  # of these nothing is computed
_PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def node_times(models: Sequence[Model], *, threads: int = 0, rounds: int = ROUNDS) -> list[NodeTimes]:
    """The seconds of every node of each model, each run on random values.

    threads: 0 takes all usable physical cores. Raises: TargetError where the runtime refuses a model.
    """
    compiled = [_compiled(m, threads) for m in models]
    requests = [c.create_infer_request() for c in compiled]
    feeds = [list(random_feeds(m, seed=0).values()) for m in models]
    least: list[dict[str, float]] = [{} for _ in models]
    runs: list[list[float]] = [[] for _ in models]
    for i in range(WARMUP + rounds):
        for request, feed, times, run in zip(requests, feeds, least, runs, strict=True):
            start = time.perf_counter()
            request.infer(feed)
            run.append(time.perf_counter() - start)
            for kernel in request.profiling_info if i >= WARMUP else ():
                taken = kernel.real_time.total_seconds()
                times[kernel.node_name] = min(taken, times.get(kernel.node_name, taken))
    return [
        replace(_shared(m, c, times), run_s=min(run[WARMUP:]))
        for m, c, times, run in zip(models, compiled, least, runs, strict=True)
    ]


def precisions(model: Model, *, threads: int = 0) -> dict[str, str]:
    """Node name -> what its kernel computes in ("u8" and "i8": integers), as the executed graph says.

    Of nodes fused into one kernel the product counts, else the first.
    """
    compiled = _compiled(model, threads)
    ran = compiled.get_runtime_model()
    told = {k.get_friendly_name(): k.get_rt_info() for k in ran.get_ordered_ops()}
    kernels = {
        name: owner
        for name, owner in owners_of(ran, to_proto(model)).items()
        if told[name]["layerType"].astype(str) not in _MEMORY
    }
    return {owner: told[name]["runtimePrecision"].astype(str) for name, owner in kernels.items()}


def _compiled(model: Model, threads: int) -> Any:
    with TemporaryDirectory(prefix="paredown-") as folder:
        artifact = openvino_files.write(model.data, Path(folder), precision_of(model.data))
        return compile_files(artifact.files, threads, PERF_COUNT=True)[0]


def _shared(model: Model, compiled: Any, times: dict[str, float]) -> NodeTimes:
    owners = owners_of(compiled.get_runtime_model(), to_proto(model))
    seconds: dict[str, float] = {}
    unmapped_s = 0.0
    for kernel, taken in times.items():
        if (owner := owners.get(kernel)) is None:
            unmapped_s += taken
        else:
            seconds[owner] = seconds.get(owner, 0.0) + taken
    return NodeTimes(seconds, unmapped_s)


def owners_of(ran: Any, given: onnx.ModelProto) -> dict[str, str]:
    """Kernel name -> name of the node of the ONNX model that it computes, where that can be told."""
    known = {o: n for n in given.graph.node for o in n.output} | {n.name: n for n in given.graph.node}
    kernels = ran.get_ordered_ops()
    found: dict[str, str] = {}
    for kernel in kernels:
        told = kernel.get_rt_info()["originalLayersNames"].astype(str)
        nodes = [n for name in told.split(",") if (n := _by_name(name, known)) is not None]
        if nodes:
            owner = next((n for n in nodes if n.op_type in _PRODUCTS), nodes[0])
            found[kernel.get_friendly_name()] = owner.name
    for kernel in kernels:
        if kernel.get_rt_info()["layerType"].astype(str) == "Reorder":
            before = [i.get_source_output().get_node() for i in kernel.inputs()]
            behind = [i.get_node() for o in kernel.outputs() for i in o.get_target_inputs()]
            beside = [found.get(n.get_friendly_name()) for n in (*before, *behind)]
            if (near := next(filter(None, beside), None)) is not None:
                found[kernel.get_friendly_name()] = near
    return found


def _by_name(name: str, known: dict[str, onnx.NodeProto]) -> onnx.NodeProto | None:
    """The node of that name, or that writes the tensor of that name, once added suffixes are taken off."""
    while name not in known:
        shorter = _SUFFIX.sub("", name)
        if shorter == name:
            return None
        name = shorter
    return known[name]
