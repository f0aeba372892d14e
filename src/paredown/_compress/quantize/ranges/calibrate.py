"""One pass over the images that keeps enough of every tensor for all range methods.

The graph is instrumented: behind each tensor stand ReduceMin and ReduceMax (per channel) and a Gather of
fixed random positions, so that a tensor's full value never leaves the runtime and its buffer is freed at
once. The sigmoid, hard or not, of a tensor that is watched and its product with it (SiLU, hard swish) need no
watching: they follow from what was seen.

What is kept is a bounded sample, not a histogram: a sample can be judged behind any function that follows
(SiLU, sigmoid) and per channel, and it needs no range to be known beforehand. Memory does not grow with the
number of images: when a tensor's store is full, every second value is dropped and each later image adds half
as many.

Shapes: C channels, n sampled values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from paredown._compress.quantize.ranges.post_activation import SILU_BOTTOM, hard_sigmoid, sigmoid, silu
from paredown._compress.recipe import Context
from paredown.errors import CalibrationError
from paredown.graph.channels import GATES, Channels
from paredown.graph.cut import leave_out_tail
from paredown.graph.load import to_proto
from paredown.graph.run import open_session
from paredown.graph.taps import Tap, add_taps
from paredown.model import Model
from paredown.numerics.ranges import Function, Seen
from paredown.protocols import Feeds, Progress, silent

CAPACITY = 1 << 15  # values kept of one tensor: 200 tensors take 40 MB with their channels
PER_IMAGE = 1 << 12  # values drawn from one tensor and image at first


@dataclass
class _Store:
    """Grows one tensor's `Seen`. stride: every such value is taken of each image's draw."""

    channel_of: NDArray[np.integer]  # (drawn,)
    values: list[NDArray[np.float32]] = field(default_factory=list)
    lows: list[NDArray[np.float32]] = field(default_factory=list)
    highs: list[NDArray[np.float32]] = field(default_factory=list)
    stride: int = 1
    count: int = 0

    def add(self, drawn: NDArray[np.float32], low: NDArray[np.float32], high: NDArray[np.float32]) -> None:
        self.values.append(drawn[:: self.stride])
        self.count += len(self.values[-1])
        self.lows.append(np.atleast_1d(low))  # a tensor without channels has one
        self.highs.append(np.atleast_1d(high))
        if self.count > CAPACITY:
            self.values = [v[::2].copy() for v in self.values]
            self.stride, self.count = self.stride * 2, sum(map(len, self.values))

    def seen(self) -> Seen:
        channels = np.tile(self.channel_of[:: self.stride], len(self.values))
        return Seen(np.concatenate(self.values), channels, np.stack(self.lows), np.stack(self.highs))


def calibrate_for(context: Context, model: Model, tensors: Sequence[str]) -> dict[str, Seen]:
    """`calibrate` on the images of a recipe, with its threads, seed and progress; once for each tensor."""
    sha256 = model.sha256
    known = context.kept.calibration(sha256)
    found = completed(context, model, tensors, known)
    if len(found) > len(known):
        context.kept.add_calibration(sha256, found)
    return {tensor: found[tensor] for tensor in tensors}


def completed(
    context: Context, model: Model, tensors: Sequence[str], known: Mapping[str, Seen]
) -> dict[str, Seen]:
    """What is known, and what the images tell of all other tensors."""
    missing = [tensor for tensor in tensors if tensor not in known]
    if not missing:
        return dict(known)
    threads, seed, progress = context.threads, context.seed, context.progress
    return {
        **known,
        **calibrate(model, missing, context.images(), threads=threads, seed=seed, progress=progress),
    }


def rescaled(seen: Mapping[str, Seen], channels: Channels, factors: NDArray[np.float64]) -> dict[str, Seen]:
    """What the same images leave once the channels of every class are divided by its factor, (classes,).

    The network computes the same function, so little need be run again: only tensors in which scaled channels
    lie mixed (inside a channel shuffle) are left out.
    """
    made = {}
    for name, found in seen.items():
        if name in channels.ids:
            own = factors[channels.of(name)].astype(np.float32)
            made[name] = found.over(own) if np.any(own != 1) else found
        elif name not in channels.mixed or np.all(factors[channels.roots(channels.mixed[name])] == 1):
            made[name] = found  # inputs are in neither: nothing scales them
    return made


def calibrate(
    model: Model,
    tensors: Sequence[str],
    images: Iterable[Feeds],
    *,
    threads: int = 0,
    seed: int = 0,
    progress: Progress = silent,
) -> dict[str, Seen]:
    """What was seen of each named tensor over all images.

    Raises:
        CalibrationError: no image at all, or NaN or infinity in a tensor (the first in graph order is named).
    """
    proto = to_proto(model)
    derived = _derived(proto, set(tensors))
    watched = [name for name in tensors if name not in derived]
    channel_of, drawn_names = _instrument(proto, watched, seed)
    leave_out_tail(proto.graph)
    session = open_session(proto.SerializeToString(), threads, frugal=True)
    stores = {name: _Store(channel_of[name]) for name in watched}
    wanted = [
        output
        for name, drawn in zip(watched, drawn_names, strict=True)
        for output in (drawn, f"{name}/low", f"{name}/high")
    ]
    number = 0
    for number, image in enumerate(progress(images, "calibrating"), 1):
        try:
            answers = session.run(wanted, image)
        except Exception as error:  # ONNX Runtime's exceptions share no base class
            raise CalibrationError(
                f"the model cannot run calibration image {number}",
                got=f"{_spelled(image)}: {str(error).splitlines()[0][:200]}",
                expected=", ".join(f"{s.name}: {s.dtype} {list(s.shape)}" for s in model.inputs),
            ) from error
        for index, name in enumerate(watched):
            drawn, low, high = answers[3 * index : 3 * index + 3]
            if not all(np.isfinite(a).all() for a in (drawn, low, high)):
                raise _not_finite(name, number)
            stores[name].add(drawn, low, high)
    if number == 0:
        raise CalibrationError("there is no calibration image", expected="at least one, 100 are good")
    del session
    seen = {name: stores.pop(name).seen() for name in watched}  # no value is held twice for long
    return seen | {name: seen[x].through(*function) for name, (x, function) in derived.items()}


def _spelled(feeds: Feeds) -> str:
    return ", ".join(f"{name}: {x.dtype.name} {list(x.shape)}" for name, x in feeds.items())


def _derived(
    proto: onnx.ModelProto, tensors: AbstractSet[str]
) -> dict[str, tuple[str, tuple[Function, float]]]:
    """Functions of tensors that are watched anyway, of which and with which bottom (`Seen.through`): sigmoids
    and products with them, which need not be watched themselves."""
    gates: dict[str, tuple[str, _Gate]] = {}
    found: dict[str, tuple[str, tuple[Function, float]]] = {}
    for node in proto.graph.node:
        made = node.output[0] if node.output else ""
        if node.op_type in GATES:
            x, gate = node.input[0], _gate(node)
            gates[made], function = (x, gate), (gate.function, -np.inf)
        elif node.op_type == "Mul":
            pairs = (node.input, node.input[::-1])
            x, gate = next((gates[b] for a, b in pairs if b in gates and gates[b][0] == a), ("", _SIGMOID))
            function = (gate.product, gate.bottom)
        else:
            continue
        if {x, made} <= tensors and x not in found:
            found[made] = (x, function)
    return found


@dataclass(frozen=True)
class _Gate:
    """A sigmoid, its product with what it reads, and where that is least."""

    function: Function
    product: Function
    bottom: float


_SIGMOID = _Gate(sigmoid, silu, SILU_BOTTOM)


def _gate(node: onnx.NodeProto) -> _Gate:
    if node.op_type == "Sigmoid":
        return _SIGMOID
    given = {a.name: a.f for a in node.attribute}
    alpha, beta = given.get("alpha", 0.2), given.get("beta", 0.5)
    function = hard_sigmoid(alpha, beta)
    return _Gate(function, lambda x: x * function(x), -beta / (2 * alpha))


def _not_finite(tensor: str, number: int) -> CalibrationError:
    return CalibrationError(
        f"tensor {tensor!r} holds NaN or infinity on calibration image {number}",
        expected="finite activations",
        hint="check the preprocessing in the model's card, and the model in float",
    )


def _instrument(
    proto: onnx.ModelProto, tensors: Sequence[str], seed: int
) -> tuple[dict[str, NDArray[np.integer]], list[str]]:
    """The channel of every drawn position, and the outputs that are drawn; the proto has no other outputs
    than these and the extremes."""
    shapes = {
        v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim)
        for v in (*proto.graph.input, *proto.graph.value_info, *proto.graph.output)
    }
    rng = np.random.default_rng(seed)
    graph = proto.graph
    opset = max(o.version for o in proto.opset_import if o.domain in ("", "ai.onnx"))
    channel_of: dict[str, NDArray[np.integer]] = {}
    taps = []
    del graph.output[:]
    for name in tensors:
        shape = shapes[name]
        size = int(np.prod(shape))
        inner = int(np.prod(shape[2:])) if len(shape) > 2 else 1
        channels = shape[1] if len(shape) > 1 else 1
        where = np.sort(rng.choice(size, min(PER_IMAGE, size), replace=False))
        where = rng.permutation(where)  # thinning takes every second: the order must carry no pattern
        channel_of[name] = ((where // inner) % channels).astype(np.min_scalar_type(channels))
        taps.append(Tap(name, where))
        axes = [axis for axis in range(len(shape)) if axis != 1]
        for op, part in (("ReduceMin", "low"), ("ReduceMax", "high")):
            if opset >= 18:
                graph.initializer.append(
                    numpy_helper.from_array(np.array(axes, np.int64), f"{name}/{part}/axes")
                )
                node = helper.make_node(op, [name, f"{name}/{part}/axes"], [f"{name}/{part}"], keepdims=0)
            else:
                node = helper.make_node(op, [name], [f"{name}/{part}"], keepdims=0, axes=axes)
            graph.node.append(node)
            graph.output.append(helper.make_tensor_value_info(f"{name}/{part}", TensorProto.FLOAT, None))
    return channel_of, add_taps(graph, taps)
