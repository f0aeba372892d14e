"""What each node of a model costs in ONNX Runtime, from the runtime's own profile.

The runtime fuses, renames and reorders nodes before it runs them. It writes that graph down beside the
profile; every kernel in it is led back to one node of the model as given: by the kernel's name (with the
suffixes that fusions add taken off), else by the tensor that it writes, else by its readers where they belong
to one node: it is a part of that. Kernels that only change a memory layout count for the node whose result
they turn. What cannot be led back is told, not shared out.

What other processes take only ever adds, so a kernel's time is the least of its runs. To be profiled
takes time itself, some microseconds for every kernel: a model's times are scaled by the processor time that
it takes without the profile, over that with it. What it takes by the clock is the least of its runs without.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import onnx
import onnxruntime

from paredown.errors import TargetError
from paredown.graph.load import to_proto
from paredown.graph.run import give_back, random_feeds
from paredown.graph.session_options import session_options
from paredown.model import Model
from paredown.protocols import Array, NodeTimes

WARMUP = 2  # runs left out
ROUNDS = 10  # runs of each model, in turns: what slows the machine down slows all of them
FEWEST, ENOUGH_S = 3, 1.0  # large models end at this many, once so many seconds went by
_KERNEL = "_kernel_time"
_SUFFIX = re.compile(r"(_token_\d+|_nchwc|_nhwc|_quant|/\w*Fusion\w*/?|_\w*[Ff]usion\w*)$")
_LAYOUT = frozenset({"ReorderInput", "ReorderOutput", "Transpose"})
_PRODUCTS = ("Conv", "Gemm", "MatMul")
_CONVERSIONS = frozenset({"QuantizeLinear", "DequantizeLinear"})


def node_times(models: Sequence[Model], *, threads: int = 0, rounds: int = ROUNDS) -> list[NodeTimes]:
    """The seconds of every node of each model. All models have the same inputs.

    threads: 0 takes all usable physical cores. Raises: TargetError where the runtime refuses a model.
    """
    with tempfile.TemporaryDirectory(prefix="paredown-") as folder:
        places = [Path(folder, str(i)) for i in range(len(models))]
        profiled = [_session(m, threads, place) for m, place in zip(models, places, strict=True)]
        plain = [_session(m, threads) for m in models]
        feeds = [random_feeds(m, seed=0) for m in models]
        scales: list[list[float]] = [[] for _ in models]
        runs: list[list[float]] = [[] for _ in models]
        begun = time.perf_counter()
        for done in range(WARMUP + rounds):
            if done >= WARMUP + min(FEWEST, rounds) and time.perf_counter() - begun > ENOUGH_S:
                break
            for i, feed in enumerate(feeds):
                (with_it, _), (without, run_s) = (_taken_s(s, feed) for s in (profiled[i], plain[i]))
                scales[i].append(without / max(with_it, 1e-9))
                runs[i].append(run_s)
        found = [
            _told(m, Path(s.end_profiling()), Path(f"{place}.onnx"), min(1.0, median(scale[WARMUP:])))
            for m, s, place, scale in zip(models, profiled, places, scales, strict=True)
        ]
        del profiled, plain
        give_back()
        return [replace(times, run_s=min(run[WARMUP:])) for times, run in zip(found, runs, strict=True)]


def _taken_s(session: onnxruntime.InferenceSession, feed: Mapping[str, Array]) -> tuple[float, float]:
    """Of one run: seconds of the processor, and by the clock."""
    processor, clock = time.process_time(), time.perf_counter()
    session.run(None, feed)
    return time.process_time() - processor, time.perf_counter() - clock


def _session(model: Model, threads: int, beside: Path | None = None) -> onnxruntime.InferenceSession:
    """With `beside`, one that writes its profile and its optimized graph there."""
    options = session_options(threads)
    options.log_severity_level = 4
    if beside is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(beside)
        options.optimized_model_filepath = f"{beside}.onnx"
    try:
        return onnxruntime.InferenceSession(model.data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base class
        reason = str(error).splitlines()[0]
        raise TargetError("ONNX Runtime cannot run this model to time its nodes", got=reason) from error


def _told(model: Model, profile: Path, optimized: Path, scale: float) -> NodeTimes:
    kernels: dict[str, list[float]] = {}
    for event in json.loads(profile.read_text(encoding="utf-8")):
        if event.get("cat") == "Node" and event["name"].endswith(_KERNEL):
            kernels.setdefault(event["name"].removesuffix(_KERNEL), []).append(event["dur"] * 1e-6)
    owners = owners_of(onnx.load(optimized, load_external_data=False), to_proto(model))
    seconds: dict[str, float] = {}
    unmapped_s = 0.0
    for kernel, durations in kernels.items():
        time_s, owner = min(durations[WARMUP:]) * scale, owners.get(kernel)
        if owner is None:
            unmapped_s += time_s
        else:
            seconds[owner] = seconds.get(owner, 0.0) + time_s
    return NodeTimes(seconds, unmapped_s)


def owners_of(optimized: onnx.ModelProto, given: onnx.ModelProto) -> dict[str, str]:
    """Kernel name -> name of the node of the model as given that it computes, where that can be told."""
    named = {n.name: n for n in given.graph.node}
    made = {o: n for n in given.graph.node for o in n.output}
    found: dict[str, str] = {}
    layouts = [k for k in optimized.graph.node if k.op_type in _LAYOUT and k.name not in named]
    inner: list[onnx.NodeProto] = []  # parts of a fusion, between tensors that the given model has not
    behind: list[tuple[str, onnx.NodeProto]] = []  # products, known only by what they are fused with
    turning = {k.name for k in layouts}
    for kernel in optimized.graph.node:
        if kernel.name in turning:
            continue
        names = (kernel.name, *kernel.output)
        node = next((n for name in names if (n := _by_name(name, named, made)) is not None), None)
        if node is None:
            inner.append(kernel)
            continue
        if node.op_type in _CONVERSIONS and kernel.op_type not in _CONVERSIONS:
            node = made.get(node.input[0], node)  # named after the Q behind what it computes
        if _is_product(kernel) and not _is_product(node):
            behind.append((kernel.name, node))
        found[kernel.name] = node.name
    _settle_products(behind, made, found)
    for kernel in reversed(inner):
        owners = {found.get(n.name) for n in _readers(kernel, optimized)}
        if len(owners) == 1 and (owner := owners.pop()) is not None:
            found[kernel.name] = owner
    producer = {o: n for n in optimized.graph.node for o in n.output}
    for kernel in layouts:  # of an input: for what reads it
        source = producer.get(kernel.input[0])
        beside = _readers(kernel, optimized) if source is None else [source]
        if (owner := next((o for n in beside if (o := found.get(n.name))), None)) is not None:
            found[kernel.name] = owner
    return found


def _readers(kernel: onnx.NodeProto, graph: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [n for n in graph.graph.node if any(o in n.input for o in kernel.output)]


def _is_product(node: onnx.NodeProto) -> bool:
    return any(word in node.op_type for word in _PRODUCTS)


def _settle_products(
    behind: Sequence[tuple[str, onnx.NodeProto]], made: dict[str, onnx.NodeProto], found: dict[str, str]
) -> None:
    """Give kernels of products that one product which no other kernel computes."""
    for _ in behind:  # each round may leave only one product for another kernel
        for name, node in behind:
            products = _products_before(node, made) - set(found.values())
            if len(products) == 1:
                found[name] = products.pop()


def _products_before(node: onnx.NodeProto, made: dict[str, onnx.NodeProto]) -> set[str]:
    """The nearest convolutions and matrix products that a node depends on."""
    found, todo = set(), [made[i] for i in node.input if i in made]
    while todo:
        before = todo.pop()
        if _is_product(before):
            found.add(before.name)
        else:
            todo += [made[i] for i in before.input if i in made]
    return found


def _by_name(
    name: str, named: dict[str, onnx.NodeProto], made: dict[str, onnx.NodeProto]
) -> onnx.NodeProto | None:
    """The node of that name, or that writes the tensor of that name, once added suffixes are taken off."""
    while name:
        if name in named:
            return named[name]
        if name in made:
            return made[name]
        shorter = _SUFFIX.sub("", name)
        if shorter == name:
            return None
        name = shorter
    return None
