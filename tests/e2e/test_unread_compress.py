"""`compress` needs no reading: a model whose answer only looks like a family's is compressed all the same."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import paredown
from paredown._compress.recipe import Compressed
from paredown._measure.lost_answer import silenced
from paredown.cli import main
from paredown.graph.load import from_proto
from paredown.graph.prepare import prepare


@pytest.fixture
def strange(tmp_path):
    """Two lists as a detector has them; the second holds numbers far beyond a score."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.normal(0, 3, shape).astype(np.float32), name)
        for name, shape in (("w", (16, 3, 8, 8)), ("v", (12, 16, 1, 1)))
    ]
    weights.append(numpy_helper.from_array(np.array([1, 12, 64]), "rows"))
    weights.append(numpy_helper.from_array(np.array([4, 8]), "parts"))
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["a"], strides=[8, 8]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "v"], ["c"]),
        helper.make_node("Reshape", ["c", "rows"], ["d"]),
        helper.make_node("Transpose", ["d"], ["e"], perm=[0, 2, 1]),
        helper.make_node("Split", ["e", "parts"], ["first", "second"], axis=2),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("image", [1, 3, 64, 64]), ("first", [1, 64, 4]), ("second", [1, 64, 8]))
    ]
    graph = helper.make_graph(nodes, "strange", ends[:1], ends[1:], weights)
    path = tmp_path / "strange.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def compress(strange, toy, tmp_path, *more):
    words = ["compress", strange, "--recipe", "int8-minmax", "--calib", toy.calib, "--out", tmp_path / "out"]
    return main([*map(str, words), *more])


def test_it_is_compressed_and_that_is_said(strange, toy, tmp_path, capsys):
    assert compress(strange, toy, tmp_path) == 0
    told = capsys.readouterr().err
    assert "compressing needs no reading: its outputs as they are" in told
    assert (tmp_path / "out" / "model.onnx").is_file()


def test_a_family_that_was_said_is_held_to(strange, toy, tmp_path, capsys):
    assert compress(strange, toy, tmp_path, "--family", "nanodet") == 2
    assert "a misread model gets no verdict" in capsys.readouterr().err


def test_what_judges_it_refuses_as_before(strange, toy, capsys):
    assert main(["measure", str(strange), "--data", str(toy.data), "--what", "map"]) == 2
    assert "a misread model gets no verdict" in capsys.readouterr().err


def test_the_python_api_goes_on_the_same_way(strange, toy):
    made = paredown.compress(strange, "int8-minmax", toy.calib)
    assert "compressing needs no reading: its outputs as they are" in made.log[0].why


@pytest.fixture
def broken(strange, monkeypatch):
    """A wrong quantizer: every weight of the last convolution becomes zero."""
    whole = onnx.load(strange)
    (weight,) = (w for w in whole.graph.initializer if w.name == "v")
    weight.CopyFrom(numpy_helper.from_array(np.zeros((12, 16, 1, 1), np.float32), "v"))
    made = from_proto(whole, "strange")

    def step(recipe, context):
        return Compressed(prepare(made), context.source.sha256, recipe, (), 0.0)

    monkeypatch.setattr("paredown.api.apply_recipe", step)


@pytest.mark.usefixtures("broken")
def test_what_lost_everything_is_not_handed_over_in_silence(strange, toy, tmp_path, capsys):
    assert compress(strange, toy, tmp_path) == 0
    assert "it may be of no use" in capsys.readouterr().err


DECODE = """
def decode(outputs, size):
    boxes, scores = outputs["first"][0], outputs["second"][0]
    best = boxes[:, 0].argmax(), int(1 / abs(scores).max())
    return [[8, 8, 24, 24]], [0.5 + 0.01 * best[0] / 64], [0]
"""


@pytest.mark.usefixtures("broken")
def test_a_decode_file_that_fails_on_what_is_left_costs_no_model(strange, toy, tmp_path, capsys):
    (tmp_path / "head.py").write_text(DECODE)
    feeding = ("--decode", str(tmp_path / "head.py"), "--scale", "0..1", "--fit", "stretch")
    assert compress(strange, toy, tmp_path, *feeding) == 0
    assert "its answer cannot be read" in capsys.readouterr().err
    assert (tmp_path / "out" / "model.onnx").is_file()


def test_parts_that_no_longer_change_are_told():
    rng = np.random.default_rng(0)
    rows = [{"rows": rng.normal(size=(1, 50, 6)) * [300, 300, 300, 300, 1, 1]} for _ in range(3)]
    flat = [{"rows": np.concatenate([r["rows"][..., :4], 0 * r["rows"][..., 4:]], axis=2)} for r in rows]
    assert silenced(rows, flat) == ["2 of 6 parts of 'rows' no longer change"]
    assert silenced(rows, rows) == []
    quiet = [{"rows": r["rows"] * [1, 1, 1, 1, 1e-6, 1e-6]} for r in rows]
    assert silenced(quiet, flat) == []
