"""Files that ask for more than a machine has are refused with the figure, in seconds, under 1 GB."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import zlib

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from paredown._compress.pack import pdz

SECONDS = 60  # for one command; most take less than one
BYTES = 1 << 30
RUNNER = """
import contextlib, io, json, resource, signal, sys, time
from paredown.cli import main

def late(number, frame):
    raise TimeoutError("the command is still at work")

signal.signal(signal.SIGALRM, late)
told = []
for words in json.load(sys.stdin):
    said = io.StringIO()
    signal.alarm(int(sys.argv[1]))
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        code = main(words)
    signal.alarm(0)
    told.append([code, said.getvalue()])
json.dump({"told": told, "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}, sys.stdout)
"""


def refused(*commands, code=1):
    """What the commands say, run in one process: that may take neither more memory nor more time."""
    words = json.dumps([[str(word) for word in command] for command in commands])
    line = [sys.executable, "-c", RUNNER, str(SECONDS)]
    done = subprocess.run(line, input=words, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["bytes"] < BYTES, f"{found['bytes'] / 1e9:.2f} GB"
    for got, text in found["told"]:
        assert got == code, text
        assert "Traceback" not in text
        assert "a defect" not in text
    return [text for _, text in found["told"]]


def write(path, nodes, initializers=(), shape=(1, 3, 64, 64), functions=(), opset=17):
    graph = helper.make_graph(
        nodes,
        "bomb",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["a", "b", "c", "d"])],
        [numpy_helper.from_array(value, name) for name, value in initializers],
    )
    imports = [helper.make_opsetid("", opset), *([helper.make_opsetid("own", 1)] if functions else [])]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8, functions=functions)
    path.write_bytes(model.SerializeToString())
    return path


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs, [output], **attributes)


def whole(*values):
    return np.array(values, np.int64)


ADD = node("Add", ["x", "big"], "y")
BIG = whole(1, 64, 8192, 8192)  # 16 GB
BOMBS = {
    "ConstantOfShape": ([node("ConstantOfShape", ["shape"], "big"), ADD], [("shape", BIG)]),
    "a shape that is computed": (
        [
            node("Pow", ["base", "exponent"], "side"),
            node("Max", ["side", "one"], "larger"),
            node("Concat", ["one", "one", "larger", "larger"], "shape", axis=0),
            node("ConstantOfShape", ["shape"], "big"),
            ADD,
        ],
        [("base", whole(2)), ("exponent", whole(17)), ("one", whole(1))],
    ),
    "Expand": ([node("Expand", ["x", "shape"], "y")], [("shape", whole(4096, 3, 640, 640))]),
    "Tile": ([node("Tile", ["x", "repeats"], "y")], [("repeats", whole(4000, 1, 100, 100))]),
    "Tile of a constant": (
        [node("Tile", ["seed", "repeats"], "big"), ADD],
        [("seed", np.ones((1, 1, 64, 64), np.float32)), ("repeats", whole(1, 1, 1000, 1000))],
    ),
    "Range": (
        [node("Range", ["start", "limit", "delta"], "big"), ADD],
        [(n, np.float32(v)) for n, v in (("start", 0), ("limit", 4e9), ("delta", 1))],
    ),
    "Resize": (
        [node("Resize", ["x", "", "scales"], "y")],
        [("scales", np.array([1, 1, 1000, 1000], np.float32))],
    ),
    "Pad": (
        [node("Pad", ["x", "pads"], "y")],
        [("pads", whole(0, 0, 0, 0, 0, 0, 60000, 60000))],
    ),
    "an outer product": (
        [node("MatMul", ["column", "row"], "big"), ADD],
        [("column", np.ones((60000, 1), np.float32)), ("row", np.ones((1, 60000), np.float32))],
    ),
    "one that broadcasts": (
        [node("Add", ["column", "row"], "big"), ADD],
        [("column", np.ones((60000, 1), np.float32)), ("row", np.ones((1, 60000), np.float32))],
    ),
    "many of which none is too large": (
        [
            *(node("ConstantOfShape", ["shape"], f"c{i}") for i in range(40)),
            node("Sum", ["x", *(f"c{i}" for i in range(40))], "y"),
        ],
        [("shape", whole(1, 1, 5000, 5000))],
    ),
    "many images of an image at once": (
        [
            *(node("Expand", ["x", "shape"], f"c{i}") for i in range(40)),
            node("Sum", [f"c{i}" for i in range(40)], "y"),
        ],
        [("shape", whole(30, 3, 640, 640))],
    ),
    "in a branch": (
        [
            node("Greater", ["one", "zero"], "so"),
            node(
                "If",
                ["so"],
                "y",
                then_branch=helper.make_graph(
                    [node("ConstantOfShape", ["shape"], "t")],
                    "then",
                    [],
                    [helper.make_tensor_value_info("t", TensorProto.FLOAT, None)],
                ),
                else_branch=helper.make_graph(
                    [node("Identity", ["x"], "e")],
                    "else",
                    [],
                    [helper.make_tensor_value_info("e", TensorProto.FLOAT, None)],
                ),
            ),
        ],
        [("shape", BIG), ("one", np.float32(1)), ("zero", np.float32(0))],
    ),
}


def test_graphs_that_make_gigabytes(tmp_path):
    commands = []
    for i, (nodes, initializers) in enumerate(BOMBS.values()):
        path = write(tmp_path / f"{i}.onnx", nodes, initializers, shape=(1, 3, 640, 640))
        commands.append(["inspect", path])
    huge = write(tmp_path / "huge.onnx", [node("Relu", ["x"], "y")], shape=(1, 3, 100_000, 100_000))
    *texts, input_text = refused(*commands, ["inspect", huge])
    for name, text in zip(BOMBS, texts, strict=True):
        assert re.search(r"got: .* GB", text), f"{name}: {text}"
    assert "120.0 GB" in input_text


def test_a_function_in_a_function_in_a_function(tmp_path):
    """Each calls the next one twice: 2 ** 40 nodes in a file of a few kilobytes."""
    functions = []
    for i in range(40):
        name, domain = (f"f{i + 1}", "own") if i < 39 else ("Relu", "")
        calls = [helper.make_node(name, [a], [b], domain=domain) for a, b in (("a", "b"), ("b", "c"))]
        imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
        functions.append(helper.make_function("own", f"f{i}", ["a"], ["c"], calls, imports))
    path = write(tmp_path / "m.onnx", [node("f0", ["x"], "y", domain="own")], functions=functions)
    assert f"{2**40:,} nodes" in refused(["inspect", path])[0]


def test_very_many_nodes(tmp_path):
    one = node("Relu", ["x"], "x").SerializeToString()
    field = b"\x0a" + bytes([len(one)]) + one
    head = write(tmp_path / "m.onnx", [node("Relu", ["x"], "y")]).read_bytes()
    paths = []
    for count in (100_000, 5_000_000):
        graph = field * count
        paths.append(tmp_path / f"{count}.onnx")  # a second graph is merged into the first: that is protobuf
        paths[-1].write_bytes(head + b"\x3a" + _varint(len(graph)) + graph)
    texts = refused(*(["inspect", path] for path in paths))
    assert "100,001 nodes" in texts[0]
    assert "nodes" in texts[1]


def _varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def test_files_of_3_gigabytes_that_are_no_model(tmp_path):
    starts = [b"", b"\x08\x08", b"\x08\x01" * 4096, b"aaaaaaaa" * 4096, b"PDZ1" * 100]
    paths = [tmp_path / f"{i}.onnx" for i in range(len(starts))]
    for path, start in zip(paths, starts, strict=True):
        with path.open("wb") as file:
            file.write(start)
            file.truncate(3 * 10**9)
    commands = [["inspect", path] for path in paths]
    commands += [[name, path, "--out", tmp_path / "out"] for name in ("pack", "unpack") for path in paths]
    for text in refused(*commands):
        assert "3,000,000,000" in text or "the .pdz file is damaged" in text


def test_external_data_taken_many_times(tmp_path):
    with (tmp_path / "weights").open("wb") as file:
        file.truncate(10**9)
    path = write(tmp_path / "m.onnx", [node("Relu", ["x"], "y")])
    proto = onnx.load(path)
    for i in range(100):
        tensor = proto.graph.initializer.add(name=f"w{i}", data_type=1, dims=[250_000_000])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights")
    path.write_bytes(proto.SerializeToString())
    assert "93.1 GiB" in refused(["inspect", path])[0]


@pytest.mark.slow
def test_a_pdz_of_2_gigabytes_that_is_damaged(tmp_path):
    """Every size in it is right; only the hash at the end says that it is none."""
    coder = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    stream = coder.compress(bytes(pdz.MAX_PIECE)) + coder.flush()
    count, rest = 31, zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    around = rest.compress(b"x") + rest.flush()
    size = count * pdz.MAX_PIECE + 1
    head = pdz.HEAD.pack(pdz.MAGIC, hashlib.sha256(b"").digest(), size, count, len(around), 1)
    table = pdz.PIECE.pack(0, len(stream), pdz.MAX_PIECE, 1) * count
    (tmp_path / "m.pdz").write_bytes(head + table + around + stream * count)
    assert "not the one that was packed" in refused(["unpack", tmp_path / "m.pdz"])[0]


def test_a_pdz_that_says_more_than_it_can_hold(tmp_path):
    head = pdz.HEAD.pack(pdz.MAGIC, bytes(32), 2**31 - 1, 0, 10, 2**31 - 1)
    (tmp_path / "m.pdz").write_bytes(head + bytes(10))
    assert "impossible size" in refused(["unpack", tmp_path / "m.pdz"])[0]


DEEP = {
    "a key": "a." * 300_000 + "a = 1",
    "a table": "[" + "a." * 300_000 + "a]",
    "quoted keys": '"a".' * 300_000 + "a = 1",
    "lists": "a = " + "[" * 300_000,
    "inline tables": "a = " + "{a = " * 300_000,
}
TAKES_TOML = {
    "card": ["measure", "{model}", "--data", "{data}", "--card", "{path}"],
    "target": ["doctor", "--target", "{path}"],
    "recipe": ["compress", "{model}", "--recipe", "{path}", "--calib", "{data}", "--out", "{out}"],
    "study": ["study", "{path}"],
}


def spelled(line, toy, path, tmp_path):
    places = {"model": toy.model, "data": toy.calib, "path": path, "out": tmp_path / "out"}
    return [word.format(**places) for word in line]


def test_toml_that_is_nested_deeply(toy, tmp_path):
    commands = []
    for i, text in enumerate(DEEP.values()):
        path = tmp_path / f"{i}.toml"
        path.write_text(text)
        commands += [spelled(line, toy, path, tmp_path) for line in TAKES_TOML.values()]
    for text in refused(*commands, code=2):
        assert "is no TOML file" in text


PATHS = {
    **TAKES_TOML,
    "model": ["inspect", "{path}"],
    "unpack": ["unpack", "{path}", "--out", "{out}"],
    "pack": ["pack", "{path}", "--out", "{out}"],
    "report": ["report", "{path}"],
}


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "nothing"])
def test_no_path_keeps_us_waiting(kind, toy, tmp_path):
    card, model = tmp_path / "x.toml", tmp_path / "x.onnx"
    for path in (card, model):
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "device":
            path.symlink_to("/dev/zero")
        elif kind == "folder":
            path.mkdir()
    usage = [*TAKES_TOML, "report", "model"]  # a card that names a model's parts stands where a model does
    models = [name for name in PATHS if name not in TAKES_TOML and name != "report"]
    for code, path, names in ((2, card, usage), (1, model, models)):
        for text in refused(*(spelled(PATHS[name], toy, path, tmp_path) for name in names), code=code):
            assert path.name in text
