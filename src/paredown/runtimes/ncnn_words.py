"""Nodes that ncnn has no layer for, or that pnnx takes for another one, said in layers that ncnn has.

Each is the same function: a slice with a step (YOLOX's first layer), a choice of places along an axis (box
corners put in another order), and a linear enlargement from the upper left corner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

MOST_PLACES = 16  # that are sliced out one by one; more are another thing than corners of boxes
PLACED, CORNERS = "coordinate_transformation_mode", b"align_corners"
Nodes = list[onnx.NodeProto]


@dataclass
class Words:
    """constants and sizes by name, of the model as it was; new: constants that the new nodes read."""

    constants: Mapping[str, NDArray[np.generic]]
    sizes: Mapping[str, list[int]]
    new: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, array: NDArray[np.generic]) -> str:
        self.new.append(numpy_helper.from_array(array, name))
        return name

    def size(self, name: str) -> list[int]:
        return self.sizes.get(name, [])


def in_ncnns_words(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model with such nodes replaced, changed in place."""
    graph = proto.graph
    known = onnx.shape_inference.infer_shapes(proto).graph
    sizes = {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in (*known.value_info, *known.input)
    }
    words = Words({i.name: numpy_helper.to_array(i) for i in graph.initializer}, sizes)
    corners = corners_meet(proto)
    for node in (n for n in graph.node if n.op_type == "Resize"):
        _plain(node, corners)
    nodes = [new for node in graph.node for new in _said(node, words)]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(words.new)
    return proto


def corners_meet(proto: onnx.ModelProto) -> bool:
    """Whether the linear enlargements, all of them, put corners over corners (`align_corners`).

    ncnn has a switch for it, which pnnx does not set: it is set in what pnnx wrote, for all at once, because
    names are lost there.
    """
    said = [{a.name: a for a in n.attribute} for n in proto.graph.node if n.op_type == "Resize"]
    linear = [s for s in said if "mode" in s and s["mode"].s == b"linear"]
    return bool(linear) and all(s.get(PLACED) is not None and s[PLACED].s == CORNERS for s in linear)


def _plain(node: onnx.NodeProto, corners: bool) -> None:
    """A Resize without what means nothing to it: a region that only cropping reads, settings of other modes.

    corners: whether it becomes one from the middle of pixels, see `corners_meet`.
    """
    said = {a.name: a for a in node.attribute}
    if PLACED in said and said[PLACED].s == CORNERS and corners:
        said[PLACED].s = b"half_pixel"
    if len(node.input) > 1 and PLACED in said and said[PLACED].s != b"tf_crop_and_resize":
        node.input[1] = ""
    unread = {"exclude_outside", "cubic_coeff_a", "extrapolation_value"}
    unread |= {"nearest_mode"} if "mode" in said and said["mode"].s == b"linear" else set()
    if "mode" in said and said["mode"].s != b"cubic":
        kept = [a for a in node.attribute if a.name not in unread]
        del node.attribute[:]
        node.attribute.extend(kept)


def _said(node: onnx.NodeProto, words: Words) -> Iterator[onnx.NodeProto]:
    say = _WORDS.get(node.op_type)
    made = say(node, words) if say is not None else None
    yield from [node] if made is None else made


def _pick(node: onnx.NodeProto, words: Words) -> Nodes | None:
    """A Slice with a step as a depthwise convolution that picks the same values."""
    asked = [words.constants[name].tolist() for name in node.input[1:5] if name in words.constants]
    size = words.size(node.input[0])
    weight = _picked(size, *asked) if len(asked) == 4 else None
    if weight is None:
        return None
    taken = [node.input[0], words.constant(f"{node.output[0]}_pick", weight)]
    return [
        helper.make_node("Conv", taken, node.output, node.name, strides=list(weight.shape[2:]), group=size[1])
    ]


def _picked(
    size: list[int], starts: list[int], ends: list[int], axes: list[int], steps: list[int]
) -> NDArray[np.float32] | None:
    """Weights (C, 1, step, step), zeros but for the value that is taken; None for any other slice."""
    if len(size) != 4 or max(steps) < 2:
        return None
    first, step = [0, 0], [1, 1]
    for start, end, axis, by in zip(starts, ends, (a % 4 for a in axes), steps, strict=True):
        if axis < 2 or not 0 <= start < by or end < size[axis] or size[axis] % by:
            return None
        first[axis - 2], step[axis - 2] = start, by
    weight = np.zeros((size[1], 1, *step), np.float32)
    weight[:, 0, first[0], first[1]] = 1
    return weight


def _choose(node: onnx.NodeProto, words: Words) -> Nodes | None:
    """A Gather of a few constant places along an axis as slices put together."""
    places = words.constants.get(node.input[1])
    size = words.size(node.input[0])
    if places is None or places.ndim != 1 or not 1 < len(places) <= MOST_PLACES or not size:
        return None
    axis = next((a.i for a in node.attribute if a.name == "axis"), 0) % len(size)
    names = [f"{node.output[0]}_{i}" for i in range(len(places))]
    whole = (int(p) % size[axis] for p in places)
    made = [_slice(node.input[0], name, axis, p, p + 1, words) for name, p in zip(names, whole, strict=True)]
    return [*made, helper.make_node("Concat", names, node.output, node.name, axis=axis)]


def _enlarge(node: onnx.NodeProto, words: Words) -> Nodes | None:
    """A linear Resize by a whole number, asymmetric, as a depthwise ConvTranspose with a tent for a kernel.

    y[j] = x at j / n. The last value is repeated, as ONNX does beyond the border.
    """
    said = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    size, to = words.size(node.input[0]), words.size(node.output[0])
    if said.get("mode") != b"linear" or said.get("coordinate_transformation_mode") != b"asymmetric":
        return None
    if len(size) != 4 or len(to) != 4 or any(b % a for a, b in zip(size, to, strict=True)):
        return None
    by, name = [to[2] // size[2], to[3] // size[3]], node.output[0]
    tents = [1 - np.abs(np.arange(1 - n, n)) / n for n in by]
    kernel = np.broadcast_to(np.outer(*tents), (size[1], 1, *map(len, tents))).astype(np.float32)
    made, taken = [], node.input[0]
    for axis in (2, 3):
        last, longer = f"{name}_{axis}_last", f"{name}_{axis}_longer"
        made.append(_slice(taken, last, axis, size[axis] - 1, size[axis], words))
        made.append(helper.make_node("Concat", [taken, last], [longer], longer, axis=axis))
        taken = longer
    read = [taken, words.constant(f"{name}_tent", np.ascontiguousarray(kernel))]
    tent = helper.make_node(
        "ConvTranspose",
        read,
        [f"{name}_tents"],
        node.name,
        kernel_shape=list(kernel.shape[2:]),
        strides=by,
        pads=[by[0] - 1, by[1] - 1] * 2,
        output_padding=[0, 0],
        dilations=[1, 1],
        group=size[1],
    )
    made.append(tent)
    made.append(_slice(f"{name}_tents", f"{name}_rows", 2, 0, to[2], words))
    return [*made, _slice(f"{name}_rows", name, 3, 0, to[3], words)]


def _slice(taken: str, made: str, axis: int, start: int, end: int, words: Words) -> onnx.NodeProto:
    limits = [
        words.constant(f"{made}_{what}", np.array([value], np.int64))
        for what, value in (("start", start), ("end", end), ("axis", axis))
    ]
    return helper.make_node("Slice", [taken, *limits], [made], f"{made}_slice")


_WORDS: Mapping[str, Callable[[onnx.NodeProto, Words], Nodes | None]] = {
    "Slice": _pick,
    "Gather": _choose,
    "Resize": _enlarge,
}
"""Op type -> the nodes to say it with; None where ncnn has a layer for it."""
