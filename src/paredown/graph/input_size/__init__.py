"""The same network at another input size: `at_size`.

Weights do not know the size of an image; what knows it is folded into a head by the exporter: targets of
Reshape, bounds of Slice, sizes of Resize, and constants with one entry for each cell of a feature map. The
graph is walked once with the lengths of all axes at both sizes (`axes.py`), every operator says what it
makes of them (`rules.py`, `windows.py`), and constants that stand on a feature map are computed anew
(`grids.py`). What cannot be proved is refused with its node; nothing is guessed.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from paredown.errors import ModelError, UnsupportedModel, UsageError
from paredown.graph.image_input import image_axes
from paredown.graph.input_size.axes import Factor, Unproven, fixed, new_length
from paredown.graph.input_size.grids import Size
from paredown.graph.input_size.rules import RULES, unknown
from paredown.graph.input_size.walk import Walk
from paredown.graph.load import from_proto
from paredown.graph.run import random_feeds, run_once
from paredown.graph.walk import is_standard, shape_of, to_ir
from paredown.model import Model

__all__ = ["at_size", "size_of"]


def size_of(model: Model) -> tuple[int, int]:
    """Height and width of the model's one input of images, in pixels. Raises UsageError where it has none."""
    image, height, width = _image(to_ir(model).graph)
    return shape_of(image)[height], shape_of(image)[width]


def at_size(model: Model, size: tuple[int, int]) -> Model:
    """The same weights for images of `size` (height, width in pixels).

    model: a prepared one (`graph.prepare`), with one input of images. At the size it has, the model itself.

    Raises: UnsupportedModel with the node where the graph cannot be proved right at that size; UsageError
    for a size that is none, or a model whose input is no image.
    """
    graph = to_ir(model)
    image, height, width = _image(graph.graph)
    if min(size) < 1:
        raise UsageError("an input size is at least 1 x 1", got=f"{size[1]} x {size[0]}")
    have = (shape_of(image)[height], shape_of(image)[width])
    if have == tuple(size):
        return model
    walk = Walk(Size(have, size))
    walk.axes[image] = tuple(
        ((Factor(n, size[0], "y"),),)
        if axis == height
        else ((Factor(n, size[1], "x"),),)
        if axis == width
        else fixed(n)
        for axis, n in enumerate(shape_of(image))
    )
    for node in graph.graph:
        _step(node, walk)
    _regrow(walk)
    _write(graph, walk)
    if "imgsz" in graph.metadata_props:  # where Ultralytics' exports say their size
        graph.metadata_props["imgsz"] = str(list(size))
    return _checked(graph, model, walk)


def _image(graph: ir.Graph) -> tuple[ir.Value, int, int]:
    """The image input with the axes of its height and width."""
    inputs = [v for v in graph.inputs if v.const_value is None]
    images = [(v, *axes) for v in inputs if (axes := image_axes(shape_of(v))) is not None]
    if len(images) != 1:
        raise UsageError(
            "only a model with one input of images has an input size",
            got=", ".join(f"{v.name} {list(shape_of(v))}" for v in inputs),
        )
    return images[0]


def _step(node: ir.Node, walk: Walk) -> None:
    rule = RULES.get(node.op_type, unknown) if is_standard(node) else unknown
    try:
        found = rule(node, walk)
    except Unproven as why:
        raise _unproven(f"node {str(node.name)!r} ({node.op_type}): {why}", walk) from None
    walk.axes |= dict(zip(node.outputs, found, strict=True))


def _regrow(walk: Walk) -> None:
    try:
        walk.regrow()
    except Unproven as why:
        raise _unproven(f"a constant of its head: {why}", walk) from None


def _unproven(got: str, walk: Walk) -> UnsupportedModel:
    height, width = walk.size.new
    hint = "export it at that size, or try a size that is a multiple of its largest stride (mostly 32)"
    return UnsupportedModel(f"the model cannot be proved right at {width} x {height}", got=got, hint=hint)


def _write(graph: ir.Model, walk: Walk) -> None:
    for count, ((node, index), array) in enumerate(walk.changed.items()):
        old = node.inputs[index]
        assert old is not None
        name = f"{old.name}_at_{walk.size.new[0]}x{walk.size.new[1]}_{count}"
        value = ir.Value(
            name=name, type=old.type, shape=ir.Shape(array.shape), const_value=ir.tensor(array, name=name)
        )
        graph.graph.register_initializer(value)
        node.replace_input_with(index, value)
        if not old.uses() and old.name in graph.graph.initializers:
            del graph.graph.initializers[str(old.name)]
    for value, axes in walk.axes.items():
        if value.const_value is None and value.shape is not None and axes:
            value.shape = ir.Shape([new_length(a) for a in axes])


def _checked(graph: ir.Model, model: Model, walk: Walk) -> Model:
    """The file of the graph, with the shapes that ONNX infers and the runtime gives, which must be ours."""
    proto = ir.to_proto(graph)
    expected = {
        str(v.name): [new_length(a) for a in walk.axes[v]] for v in graph.graph.outputs if walk.axes.get(v)
    }
    made = from_proto(onnx.shape_inference.infer_shapes(proto, data_prop=True), model.name)
    answers = run_once(made.data, random_feeds(made, seed=0))
    for name, lengths in expected.items():
        if list(np.shape(answers[name])) != lengths:
            raise ModelError(
                f"output {name!r} has another shape than computed at the new size",
                got=list(np.shape(answers[name])),
                expected=lengths,
                hint="please report this model",
            )
    card = model.card
    if card is None:
        return made
    return made.with_card(card.at(walk.size.new))
