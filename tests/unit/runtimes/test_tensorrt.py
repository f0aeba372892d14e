"""TensorRT where it is not: files under its rules, the command, honest refusals; our side of its calls."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from made_up_tensorrt import MARK, Cuda, module
from onnx import TensorProto, helper

import nets
from paredown._compress.compress import compress
from paredown._compress.presets import parse_recipe, spelled
from paredown._compress.recipe import Context
from paredown.cli import main
from paredown.errors import MissingDependency, ModelError, TargetError, UnsupportedModel
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.model import Model
from paredown.runtimes import tensorrt, tensorrt_files, tensorrt_session
from paredown.runtimes.artifact import of_files
from paredown.runtimes.tensorrt_rules import faults
from paredown.targets import target
from paredown.testing import runtimes
from toys import Toy

POLICY = tensorrt.policy(nets.ANY_BOARD)


def made(name: str, recipe: str) -> Model:
    model = prepare(nets.NETS[name]())
    return compress(spelled(recipe), Context(model, nets.feeds, nets.ANY_BOARD, POLICY)).model


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without TensorRT, whatever this one has."""
    monkeypatch.setitem(sys.modules, "tensorrt", None)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Cuda]:
    """A machine with a made-up TensorRT and its GPU."""
    trt, cuda = module(), Cuda()
    monkeypatch.setitem(sys.modules, "tensorrt", trt)
    monkeypatch.setattr(tensorrt_session, "cuda_library", lambda: cuda)
    return trt, cuda


@pytest.mark.parametrize("name", nets.NETS)
@pytest.mark.parametrize("recipe", ["int8", "w8a8-pc-minmax+bc", "w8a8-pt-mse"])
def test_what_recipes_write_for_it_keeps_its_rules(name: str, recipe: str) -> None:
    model = made(name, recipe)
    proto = to_proto(model)
    assert list(faults(proto)) == []
    kinds = {n.op_type for n in proto.graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    assert not any(t.data_type == TensorProto.INT32 for t in proto.graph.initializer)
    source, image = prepare(nets.NETS[name]()), nets.images(1, seed=9)[0]
    for want, got in zip(nets.run(source, image), nets.run(model, image), strict=True):
        assert nets.agreement(want, got) < 0.12


def test_a_residual_sum_reads_what_the_next_convolution_reads() -> None:
    proto = to_proto(made("residual", "int8"))
    made_by = {name: node.op_type for node in proto.graph.node for name in node.output}
    (total,) = [n for n in proto.graph.node if n.op_type == "Add"]
    assert [made_by[name] for name in total.input].count("DequantizeLinear") == 1


def test_the_file_of_another_runtime_is_refused(tmp_path: Path, nowhere: None) -> None:
    other = nets.compressed(prepare(nets.residual()), "int8").model
    with pytest.raises(UnsupportedModel, match=r"zero point|uint8") as caught:
        tensorrt.build(other.data, nets.ANY_BOARD, tmp_path)
    assert "--runtime tensorrt" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("recipe", "flags"),
    [("float", "--noTF32"), ("int8", "--int8 --noTF32"), ("fp16", "--fp16 --noTF32")],
)
def test_the_command_is_written_where_no_engine_can_be_built(
    recipe: str, flags: str, tmp_path: Path, nowhere: None
) -> None:
    context = Context(prepare(nets.residual()), nets.feeds, nets.ANY_BOARD, POLICY)
    file = tmp_path / "small.onnx"
    file.write_bytes(compress(parse_recipe(recipe), context).model.data)
    place = target("local", runtime="tensorrt")
    built = place.build(file, tmp_path)
    assert built.files == (file,)
    text = (tmp_path / "build.txt").read_text()
    assert f"trtexec --onnx=small.onnx --saveEngine=small.engine {flags}\n" in text
    with pytest.raises(MissingDependency, match="tensorrt"):
        tensorrt.open(built)
    with pytest.raises(MissingDependency, match=r"paredown\[tensorrt\]"):
        tensorrt.version()


def test_answers_given_elsewhere_are_simulated_and_said_to_be(nowhere: None) -> None:
    place = target("local", runtime="tensorrt")
    assert (place.simulated, place.can_time) == (True, False)
    assert "tensorrt cannot run on this machine" in place.doubts[0]
    assert "onnxruntime" in place.version()
    with pytest.raises(TargetError, match="tensorrt cannot run here"):
        place.require_timing()
    model, image = made("residual", "int8"), nets.images(1, seed=9)[0]
    session = place.compile(model.data, threads=1)
    answers = session.run({model.inputs[0].name: image})
    np.testing.assert_array_equal(next(iter(answers.values())), nets.run(model, image)[0])


def test_from_the_command_line(toy: Toy, tmp_path: Path, nowhere: None, capsys: Any) -> None:
    out = tmp_path / "out"
    words = ["--runtime", "tensorrt"]
    line = ["compress", str(toy.model), "--recipe", "int8-minmax", "--calib", str(toy.calib)]
    assert main([*line, "--out", str(out), *words]) == 0
    assert str(out / "build.txt") in capsys.readouterr().err
    assert "trtexec --onnx=model.onnx --saveEngine=model.engine --int8" in (out / "build.txt").read_text()
    line = ["measure", str(out / "model.onnx"), "--data", str(toy.data), "--baseline", str(toy.model), *words]
    assert main(line) == 1
    assert "cannot be measured on this machine" in capsys.readouterr().err
    assert main([*line, "--what", "map", "--json"]) == 0
    told = capsys.readouterr().out
    assert '"how": "simulated"' in told
    assert '"how": "measured"' not in told


CHECKS = [
    c for c in (*runtimes.CHECKS, *runtimes.ANSWERS) if c is not runtimes.inner_tensors_come_with_the_answer
]


@pytest.mark.parametrize("check", CHECKS)
def test_with_a_made_up_tensorrt_it_keeps_the_contract(check: Any, gpu: tuple[Any, Cuda]) -> None:
    check(tensorrt)


def test_an_engine_is_built_as_the_command_says(gpu: tuple[Any, Cuda], tmp_path: Path) -> None:
    trt, _ = gpu
    float_model, model = prepare(nets.residual()), made("residual", "int8")
    for data, precision, flags in (
        (float_model.data, "", set()),
        (float_model.data, "float16", {"FP16"}),
        (model.data, "", {"INT8"}),
    ):
        built = tensorrt.build(data, nets.ANY_BOARD, tmp_path, precision)
        assert [f.name for f in built.files] == ["model.engine"]
        assert built.files[0].read_bytes().startswith(MARK)
        assert trt.configs[-1] == flags  # and no TF32
        assert not (tmp_path / "build.txt").exists()
    assert trt.network_flags == 0
    place = target("local", runtime="tensorrt")
    assert (place.simulated, place.version()) == (False, "10.3.0")


def test_newer_versions_take_no_half_precision_and_older_ones_a_flag(
    monkeypatch: pytest.MonkeyPatch, gpu: tuple[Any, Cuda], tmp_path: Path
) -> None:
    data = prepare(nets.residual()).data
    monkeypatch.setitem(sys.modules, "tensorrt", module("11.4.0"))
    tensorrt.build(data, nets.ANY_BOARD, tmp_path)
    with pytest.raises(TargetError, match="takes float16 from the graph alone"):
        tensorrt.build(data, nets.ANY_BOARD, tmp_path, "float16")
    older = module("8.5.2")
    monkeypatch.setitem(sys.modules, "tensorrt", older)
    tensorrt.build(data, nets.ANY_BOARD, tmp_path)
    assert older.network_flags == 1


def test_memory_of_the_gpu_is_given_back(gpu: tuple[Any, Cuda], tmp_path: Path) -> None:
    _, cuda = gpu
    session = tensorrt.open(tensorrt.build(nets.residual().data, nets.ANY_BOARD, tmp_path))
    assert len(cuda.held) == len(session.inputs) + len(session.outputs) + 1
    del session
    gc.collect()
    assert cuda.held == {}


def test_what_it_cannot_open_is_refused(gpu: tuple[Any, Cuda], tmp_path: Path) -> None:
    _, cuda = gpu
    (tmp_path / "foreign.engine").write_bytes(b"of another version")
    with pytest.raises(ModelError, match="cannot read the engine"):
        tensorrt.open(of_files((tmp_path / "foreign.engine",), 0.0))
    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(TargetError, match=r"build\.txt"):
        tensorrt.open(of_files((tmp_path / "model.onnx",), 0.0))
    with pytest.raises(TargetError, match="cannot give inner tensors"):
        tensorrt.open(of_files((tmp_path / "foreign.engine",), 0.0), taps=["x"])
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])
    graph = helper.make_graph([helper.make_node("Softsign", ["x"], ["y"])], "g", [image], [answer])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(UnsupportedModel, match="no importer for Softsign"):
        tensorrt.build(model.SerializeToString(), nets.ANY_BOARD, tmp_path)
    cuda.devices = 0
    with pytest.raises(MissingDependency, match="none that CUDA can see"):
        tensorrt.version()
    cuda._give("cudaGetDeviceCount", lambda into: 3)
    with pytest.raises(MissingDependency, match="cudaGetDeviceCount") as caught:  # not "no driver": its words
        tensorrt.version()
    assert "3: made-up trouble" in str(caught.value)
    with pytest.raises(TargetError, match="not built for this precision"):
        tensorrt.build(model.SerializeToString(), nets.ANY_BOARD, tmp_path, "bfloat16")


def test_trouble_of_cuda_is_told_in_its_words(gpu: tuple[Any, Cuda], tmp_path: Path) -> None:
    _, cuda = gpu
    session = tensorrt.open(tensorrt.build(nets.residual().data, nets.ANY_BOARD, tmp_path))
    cuda._give("cudaMemcpy", lambda *arguments: 700)
    with pytest.raises(TargetError, match="700: made-up trouble"):
        session.run({session.inputs[0].name: nets.images(1)[0]})
    assert onnx.load_from_string(nets.residual().data).graph.node  # the fixture's model is whole
    assert tensorrt_files.PRECISIONS == ("", "float16")
