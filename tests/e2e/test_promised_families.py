"""What `list families` promises is read: RT-DETR with two inputs, RF-DETR, YOLO-NAS in three forms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from finished_nets import rfdetr, rtdetr, yolo_nas
from paredown import api, demo
from paredown.cli import main
from paredown.families.recognition import predict
from paredown.graph.size_input import settle_size_input
from paredown.preprocessing.tensor import preprocess
from paredown.study.trial_log import read_log
from paredown.targets import target

CARD = """
classes = ["person", "bicycle", "car", "bus"]
[input]
fit = "letterbox"
colour = "rgb"
scale = 0.00392156862745098
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]
"""
NETS = {
    "rtdetr": (rtdetr, "detr"),
    "rfdetr": (rfdetr, "detr"),
    "nas-raw": (lambda: yolo_nas("raw"), "ssd"),
    "nas-batch": (lambda: yolo_nas("batch"), "end2end"),
    "nas-flat": (lambda: yolo_nas("flat"), "end2end"),
}


@pytest.fixture(scope="module")
def scenes():
    return demo.evaluation_set(24)


def written(folder: Path, name: str) -> Path:
    path = folder / "net.onnx"
    onnx.save(NETS[name][0](), path)
    (folder / "card.toml").write_text(CARD)
    return path


@pytest.mark.parametrize("name", NETS)
def test_it_is_recognised_and_finds_what_the_detector_itself_finds(name: str, tmp_path: Path, scenes) -> None:
    """The best box of every image agrees: NMS, or a set without it, changes only what comes behind."""
    path = written(tmp_path, name)
    model = api.load(path, scenes)
    assert model.card.family == NETS[name][1]
    assert [len(s.shape) for s in model.inputs] == [4]  # the input of sizes has become a constant
    original = api.load(Path(demo.__file__).with_name("detector.onnx"), scenes)
    sessions = [target("local").compile(m.data) for m in (original, model)]
    agreed = 0
    for scene in list(scenes)[:12]:
        found = []
        for m, session in zip((original, model), sessions, strict=True):
            tensor, frame = preprocess(scene.read(), m.card.preprocess)
            found.append(predict(session.run({"images": tensor}), m.card, frame, conf=0.3))
        if not len(found[0].scores):
            continue
        a, b = (f.scores.argmax() for f in found)
        assert found[0].classes[a] == found[1].classes[b]
        np.testing.assert_allclose(found[0].boxes[a], found[1].boxes[b], atol=0.5)
        agreed += 1
    assert agreed > 6


@pytest.mark.parametrize("name", ["rtdetr", "nas-flat"])
def test_the_whole_job_and_its_bundle(name: str, tmp_path: Path, capsys) -> None:
    path = written(tmp_path, name)
    words = ["run", str(path), "--data", "demo:evaluation:12", "--calib", "demo:calibration:8"]
    assert main([*words, "--recipes", "int8-minmax", "--out", str(tmp_path / "out")]) == 0
    assert (name == "rtdetr") == ("held at 320 x 320" in capsys.readouterr().err)
    trials = read_log(tmp_path / "out").trials
    assert [t.error for t in trials] == [None, None]
    exact, quantized = (t.measurement.value("map50_95") for t in trials)
    assert exact > 0.25
    assert quantized > exact - 0.1
    card = json.dumps((tmp_path / "out" / "best" / "card.toml").read_text())
    assert NETS[name][1] in card


@pytest.mark.parametrize("dims", [["n", 3], [1, 2, 1], [4, 2]])
def test_a_second_input_that_is_no_size_stays_an_input(dims: list, tmp_path: Path) -> None:
    proto = rtdetr()
    kept = proto.graph.input[0]
    second = onnx.helper.make_tensor_value_info("target_sizes", onnx.TensorProto.INT64, dims)
    del proto.graph.input[:]
    proto.graph.input.extend([kept, second])
    assert settle_size_input(proto) == ""
    assert len(proto.graph.input) == 2


def test_an_image_size_left_open_keeps_both_inputs() -> None:
    proto = rtdetr()
    proto.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    assert settle_size_input(proto) == ""
