"""Small ONNX models whose tails look like those of the families; their answers are never computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnx import TensorProto, helper

from paredown.model import Model, TensorSpec

Shape = tuple[int | None, ...]


def model(
    outputs: Mapping[str, tuple[Shape, Sequence[str]]],
    input_shape: Shape = (1, 3, 320, 320),
    metadata: Mapping[str, str] | None = None,
    dtype: str = "float32",
    parts: int = 1,
) -> Model:
    """A model with, for each output, its shape and the operators behind a convolution, in order.

    `Concat` takes `parts` inputs, all the same tensor. The graph need not run: only its form is looked at.
    """
    nodes = []
    for name, (_, ops) in outputs.items():
        nodes.append(helper.make_node("Conv", ["image", "w"], [f"{name}0"]))
        for i, op in enumerate(ops):
            out = name if i == len(ops) - 1 else f"{name}{i + 1}"
            width = parts if op == "Concat" else 2 if op in ("Mul", "Add", "Sub", "Div", "Pow") else 1
            nodes.append(helper.make_node(op, [f"{name}{i}"] * width, [out]))
        if not ops:
            nodes.append(helper.make_node("Identity", [f"{name}0"], [name]))
    infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, (shape, _) in outputs.items()
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, input_shape)
    graph = helper.make_graph(nodes, "g", [image], infos)
    specs = tuple(TensorSpec(name, shape, "float32") for name, (shape, _) in outputs.items())
    data = helper.make_model(graph).SerializeToString()
    return Model(data, (TensorSpec("image", input_shape, dtype),), specs, "m", metadata or {})


CELLS_320 = 40 * 40 + 20 * 20 + 10 * 10
V8_TAIL = ("Sigmoid", "Mul", "Concat")


def yolov8_model(**more: object) -> Model:
    return model({"o": ((1, 84, CELLS_320), V8_TAIL)}, parts=2, **more)  # type: ignore[arg-type]
