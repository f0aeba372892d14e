"""ONNX models converted to ncnn's files by the program in the package pnnx, and held against ONNX Runtime."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from paredown.errors import MissingDependency, UnsupportedModel
from paredown.graph.load import from_proto, load_model, parse, to_proto
from paredown.graph.precision import quantized_ops
from paredown.graph.prepare import prepare
from paredown.graph.run import random_feeds, run_once
from paredown.model import Model
from paredown.protocols import Session
from paredown.runtimes import ncnn_int8, ncnn_layers
from paredown.runtimes.ncnn_words import corners_meet, in_ncnns_words

Opened = Callable[[tuple[Path, Path]], Session]
NEAR = 1e-3  # of an output's range: more is another network, not another order of sums
_LAST_LINES = 3
_NO_LAYER = frozenset(["TopK", "GatherElements", "NonZero", "NonMaxSuppression"])  # pnnx crashes on some


def read(model: bytes | Path) -> Model:
    """The model, where ncnn can take it: float32, batches of one, every size known."""
    found = load_model(model) if isinstance(model, Path) else from_proto(parse(model, "the model"), "model")
    for spec in (*found.inputs, *found.outputs):
        if spec.dtype != "float32" or None in spec.shape:
            raise UnsupportedModel("ncnn needs float32 and known sizes", got=spec)
    if other := next((s for s in found.inputs if not s.shape or s.shape[0] != 1), None):
        raise UnsupportedModel("ncnn has no batch axis", got=other, expected="a first axis of 1")
    return found


def made_of(model: Model, scratch: Path, opened: Opened) -> tuple[Path, Path]:
    """The .param and .bin of a model in the folder, float or in the integers of its pairs.

    Raises UnsupportedModel where they do not answer as the model does.
    """
    if not quantized_ops(model):
        files = convert(prepare(model), scratch)
        ncnn_layers.write(ncnn_layers.halved(ncnn_layers.read(*files)), *files)
        check(model, opened(files))
        return files
    plain, marked, integers = ncnn_int8.without_pairs(model)
    files = convert(marked, scratch)
    layers = ncnn_layers.read(*files)
    ncnn_layers.write(ncnn_int8.in_float(layers, integers), *files)
    check(plain, opened(files))
    ncnn_layers.write(ncnn_int8.in_integers(layers, integers), *files)
    check_integers(model, plain, opened(files))
    return files


def convert(model: Model, scratch: Path) -> tuple[Path, Path]:
    """The .param and .bin that pnnx makes of a float model in the folder. Raises UnsupportedModel."""
    for node in (n for n in to_proto(model).graph.node if n.op_type in _NO_LAYER):
        raise UnsupportedModel(
            f"ncnn has no layer for {node.op_type} {node.name!r}",
            hint="cut the model in front of it, or take another runtime",
        )
    proto = to_proto(model)
    corners = corners_meet(proto)
    (scratch / "model.onnx").write_bytes(in_ncnns_words(proto).SerializeToString())
    shapes = ",".join(f"[{','.join(map(str, spec.shape))}]" for spec in model.inputs)
    command = [str(_program()), "model.onnx", f"inputshape={shapes}", "fp16=0"]
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False, errors="replace")
    made = (scratch / "model.ncnn.param", scratch / "model.ncnn.bin")
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode or not all(file.is_file() for file in made):
        raise UnsupportedModel("pnnx cannot convert the model", got="; ".join(lines[-_LAST_LINES:]))
    if lost := next((line for line in lines if line.startswith("ignore ")), None):
        raise UnsupportedModel("pnnx has no layer of ncnn for a part of the model", got=lost)
    if corners:
        ncnn_layers.write(ncnn_layers.over_corners(ncnn_layers.read(*made)), *made)
    return made


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


def check_integers(model: Model, plain: Model, session: Session) -> None:
    """Nothing, or UnsupportedModel where the session is further from the model than that is from float.

    plain: the float network behind the model's pairs. What is rounded the other way moves what is behind it.
    """
    feeds = random_feeds(model, seed=0)
    found, wanted, real = session.run(feeds), run_once(model.data, feeds), run_once(plain.data, feeds)
    for name, want in wanted.items():
        exact = want.astype(np.float64)
        errors = [other[name].astype(np.float64) - exact for other in (found, real)]
        apart, noise = (float(np.sqrt(np.mean(error**2))) for error in errors)
        if not apart <= noise + NEAR * float(np.ptp(exact)):
            raise UnsupportedModel(
                f"ncnn computes other integers than the model's pairs say: output {name!r} differs",
                got=f"{apart:.2g} in root mean square",
                expected=f"less than quantization itself, {noise:.2g}",
            )


def _program() -> Path:
    spec = find_spec("pnnx")  # not imported: it wants torch, its program does not
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    program = next((p for place in places for p in Path(place).glob("pnnx*") if p.stem == "pnnx"), None)
    if program is None:
        raise MissingDependency("pnnx", None, "making files for ncnn", "pip install --no-deps pnnx")
    return program
