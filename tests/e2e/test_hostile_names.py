"""Whatever a model, a card or a data set calls things: no command writes a raw control character."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from paredown import api
from paredown.cli import main
from paredown.deploy.bundle import write_bundle
from paredown.measurement import Trial
from paredown.targets import target

EVIL = "\x1b[31mred\x9b2J\u202egnp\x07\r\nerror: forged"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def write_hostile(source: Path, path: Path, *, classes: bool = False) -> Path:
    """The model with hostile names of nodes, tensors, inputs, outputs, graph, maker; of classes too."""
    proto = onnx.load(source)
    renamed: dict[str, str] = {}
    for name in {n for node in proto.graph.node for n in (*node.input, *node.output) if n}:
        renamed[name] = f"{name}{EVIL}"
    for node in proto.graph.node:
        node.name += EVIL
        node.input[:] = [renamed.get(n, n) for n in node.input]
        node.output[:] = [renamed[n] for n in node.output]
    for thing in (*proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        thing.name = renamed[thing.name]
    proto.graph.name = proto.producer_name = EVIL
    names = {i: f"{name}{EVIL}" if classes else name for i, name in enumerate(("disc", "box"))}
    helper.set_model_props(proto, {"names": json.dumps(names), "task": "detect", f"k{EVIL}": EVIL})
    path.write_bytes(proto.SerializeToString())
    return path


@pytest.fixture(scope="module")
def hostile(toy, tmp_path_factory):
    """A model, and a data set whose folder and images have hostile names."""
    folder = tmp_path_factory.mktemp("hostile")
    model = write_hostile(toy.model, folder / "m\x1b[2J.onnx")
    data = folder / "data\x1b[3m"
    shutil.copytree(toy.data, data)
    content = json.loads((data / "instances.json").read_text())
    for image in content["images"]:
        old = image["file_name"]
        image["file_name"] = old.replace(".png", f"{EVIL.replace('/', '')}.png")
        (data / "images" / old).rename(data / "images" / image["file_name"])
    (data / "instances.json").write_text(json.dumps(content))
    return model, data


def check(capfd, *words, codes=(0,)):
    """The text of a command, on both streams, those of libraries included."""
    code = main([str(word) for word in words])
    told = "".join(capfd.readouterr())
    assert code in codes, told
    assert not RAW.search(told), f"{words}: {RAW.search(told)!r} in {told[:2000]!r}"
    assert "--debug" in words or "\nerror: forged" not in told  # a traceback has lines of its own
    return told


@pytest.mark.parametrize("how", [[], ["--json"]])
def test_commands_that_succeed(how, hostile, tmp_path, capfd):
    model, data = hostile
    said = ["--scale", "0..1"]
    told = check(capfd, "inspect", model, *how)
    assert "red" in told
    check(capfd, "measure", model, "--data", data, "--what", "map", "--baseline", model, *said, *how)
    check(capfd, "compare", model, model, "--data", data, "--out", tmp_path / f"pairs{EVIL}", *said, *how)
    check(capfd, "card", model, "--out", tmp_path / "card.toml", *how)
    out = tmp_path / f"out{EVIL}"
    check(capfd, "compress", model, "--recipe", "int8", "--calib", data, "--out", out, *said, *how)
    check(capfd, "pack", out / "model.onnx", "--out", tmp_path / f"m{EVIL}.pdz", *how)


def test_class_names(toy, hostile, tmp_path, capfd):
    model, data = write_hostile(toy.model, tmp_path / "m.onnx", classes=True), tmp_path / "data"
    assert "red" in check(capfd, "inspect", model)
    check(capfd, "measure", model, "--data", toy.data, "--what", "map", codes=(0, 1, 2))
    shutil.copytree(toy.data, data)
    content = json.loads((data / "instances.json").read_text())
    for category in content["categories"]:
        category["name"] += EVIL
    (data / "instances.json").write_text(json.dumps(content))
    check(capfd, "measure", model, "--data", data, "--what", "map", codes=(0, 1, 2))


def test_the_card_that_is_written_reads_back(hostile, tmp_path, capfd):
    model, _ = hostile
    path = tmp_path / "card.toml"
    check(capfd, "card", model, "--out", path)
    assert not RAW.search(path.read_text())
    check(capfd, "inspect", model, "--card", path)


def broken(kind: str, path: Path) -> Path:
    """A model that some part of the way refuses, for a reason that holds its names."""
    name, shape = f"n{EVIL}", [1, 3, 64, 64]
    nodes = {
        "unknown operator": helper.make_node(f"Op{EVIL}", ["x"], ["y"], name=name),
        "unknown domain": helper.make_node("Op", ["x"], ["y"], name=name, domain=f"d{EVIL}"),
        "wrong attribute": helper.make_node("Relu", ["x"], ["y"], name=name, **{f"a{EVIL}": 1}),
        "no such tensor": helper.make_node("Add", ["x", f"t{EVIL}"], ["y"], name=name),
        "stops while running": helper.make_node("Reshape", ["x", "s"], ["y"], name=name),
    }
    graph = helper.make_graph(
        [nodes[kind]],
        EVIL,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["a", "b", "c", "d"])],
        [helper.make_tensor("s", TensorProto.INT64, [4], [1, 2, 3, 4])],
    )
    domains = [helper.make_opsetid("", 17), helper.make_opsetid(f"d{EVIL}", 1)]
    path.write_bytes(helper.make_model(graph, opset_imports=domains, ir_version=8).SerializeToString())
    return path


KINDS = ["unknown operator", "unknown domain", "wrong attribute", "no such tensor", "stops while running"]


@pytest.mark.parametrize("debug", [[], ["--debug"]])
@pytest.mark.parametrize("kind", KINDS)
def test_models_that_are_refused(kind, debug, toy, tmp_path, capfd):
    model = broken(kind, tmp_path / "m.onnx")
    check(capfd, "inspect", model, *debug, codes=(0, 1, 2))
    line = ["measure", model, "--data", toy.data, "--what", "map", "--family", "yolov8"]
    check(capfd, *line, *debug, codes=(1, 2))


def test_cards_and_words_that_are_refused(toy, tmp_path, capfd):
    card = tmp_path / f"card{EVIL}.toml"
    for text in (f'family = "{"x" * 9}"', 'family = "a\\u001b[2Jb"', '"k\\u001b[1m" = 1', "\x1b[2J = 1"):
        card.write_text(text)
        check(capfd, "inspect", toy.model, "--card", card, codes=(2,))
    for words in ([EVIL], ["inspect", f"{EVIL}.onnx"], ["list", EVIL], ["run", toy.model, f"--{EVIL}"]):
        check(capfd, *words, codes=(1, 2))
    check(capfd, "measure", toy.model, "--data", f"{EVIL}:x", codes=(1, 2))
    check(capfd, "doctor", "--target", f"{EVIL}.toml", codes=(1, 2))


def test_what_ships(hostile, tmp_path):
    model, data = hostile
    loaded = api.load(model, api.read_dataset(str(data)))
    trial = Trial("w8", f"label{EVIL}", loaded.sha256, "models/m.onnx", f"local{EVIL}", 0, None)
    bundle = write_bundle(
        loaded, loaded.card, trial, target("local"), tmp_path / "best", source_name=f"m{EVIL}.onnx"
    )
    for name in ("README.md", "measured.json", "card.toml"):
        assert not RAW.search((bundle / name).read_text(encoding="utf-8")), name
    for words in ([data / "images"], [data / "images", "--json"], [tmp_path / f"none{EVIL}"]):
        line = [sys.executable, bundle / "detect.py", *words]
        done = subprocess.run(line, capture_output=True, check=False)
        told = (done.stdout + done.stderr).decode()
        assert told
        assert not RAW.search(told), told[:2000]
