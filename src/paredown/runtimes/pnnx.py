"""ONNX models converted to ncnn's files by the program in the package pnnx, and held against ONNX Runtime."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from paredown.errors import MissingDependency, UnsupportedModel
from paredown.graph.load import from_proto, load_model, parse, to_proto
from paredown.graph.precision import quantized_ops
from paredown.graph.prepare import prepare
from paredown.graph.run import random_feeds, run_once
from paredown.model import Model
from paredown.protocols import Session

NEAR = 1e-3  # of an output's range: more is another network, not another order of sums
_LAST_LINES = 3
_INT64 = onnx.TensorProto.INT64


def read(model: bytes | Path) -> Model:
    """The model, where ncnn can take it: float32, batches of one, every size known."""
    found = load_model(model) if isinstance(model, Path) else from_proto(parse(model, "the model"), "model")
    if ops := quantized_ops(found):
        raise UnsupportedModel(
            "the runtime ncnn takes no INT8 models: pnnx converts no Q/DQ pairs",
            got=", ".join(sorted(set(ops))),
            hint="take a recipe that stays float, or another runtime",
        )
    for spec in (*found.inputs, *found.outputs):
        if spec.dtype != "float32" or None in spec.shape:
            raise UnsupportedModel("ncnn needs float32 and known sizes", got=spec)
    if other := next((s for s in found.inputs if not s.shape or s.shape[0] != 1), None):
        raise UnsupportedModel("ncnn has no batch axis", got=other, expected="a first axis of 1")
    return found


def convert(model: Model, scratch: Path) -> tuple[Path, Path]:
    """The .param and .bin that pnnx makes of the model in the folder. Raises UnsupportedModel."""
    (scratch / "model.onnx").write_bytes(picking(to_proto(prepare(model))).SerializeToString())
    shapes = ",".join(f"[{','.join(map(str, spec.shape))}]" for spec in model.inputs)
    command = [str(_program()), "model.onnx", f"inputshape={shapes}", "fp16=0"]
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False, errors="replace")
    made = (scratch / "model.ncnn.param", scratch / "model.ncnn.bin")
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode or not all(file.is_file() for file in made):
        raise UnsupportedModel("pnnx cannot convert the model", got="; ".join(lines[-_LAST_LINES:]))
    if lost := next((line for line in lines if line.startswith("ignore ")), None):
        raise UnsupportedModel("pnnx has no layer of ncnn for a part of the model", got=lost)
    return made


def picking(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its slices that have a step, which ncnn has not (YOLOX's first layer), as depthwise
    convolutions that pick the same values. Changed in place."""
    graph = proto.graph
    constants = {
        i.name: numpy_helper.to_array(i).tolist() for i in graph.initializer if i.data_type == _INT64
    }
    known = onnx.shape_inference.infer_shapes(proto).graph
    sizes = {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in (*known.value_info, *known.input)
    }
    for node in graph.node:
        asked = [constants[name] for name in node.input[1:5] if name in constants]
        if node.op_type != "Slice" or len(asked) < 4:
            continue
        size = sizes.get(node.input[0], [])
        if (weight := _picked(size, *asked)) is not None:
            name, kernel = f"{node.output[0]}_pick", list(weight.shape[2:])
            graph.initializer.append(numpy_helper.from_array(weight, name))
            taken = [node.input[0], name]
            node.CopyFrom(
                helper.make_node("Conv", taken, node.output, node.name, strides=kernel, group=size[1])
            )
    return proto


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


def check(model: Model, session: Session) -> None:
    """Nothing, or UnsupportedModel where the session answers random values otherwise than ONNX Runtime."""
    feeds = random_feeds(model, seed=0)
    found, wanted = session.run(feeds), run_once(model.data, feeds)
    for name, want in wanted.items():
        got, exact = found[name].astype(np.float64), want.astype(np.float64)
        apart = np.abs(got - exact).max() / max(float(np.ptp(exact)), 1e-9)
        if not apart <= NEAR:
            raise UnsupportedModel(
                f"what pnnx made of the model is another network: output {name!r} differs",
                got=f"{apart:.2g} of its range",
                expected=f"at most {NEAR:g}",
            )


def _program() -> Path:
    spec = find_spec("pnnx")  # not imported: it wants torch, its program does not
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    program = next((p for place in places for p in Path(place).glob("pnnx*") if p.stem == "pnnx"), None)
    if program is None:
        raise MissingDependency("pnnx", None, "making files for ncnn", "pip install --no-deps pnnx")
    return program
