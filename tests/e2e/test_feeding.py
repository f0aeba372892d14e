"""How a model is fed, through the commands: said, chosen, drawn, asked; never guessed by confidence."""

from __future__ import annotations

import json
import shutil
import tomllib

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from paredown.cli import main


@pytest.fixture
def bare(toy, tmp_path):
    """The toy detector as export tools leave it: without metadata."""
    proto = onnx.load(str(toy.model))
    del proto.metadata_props[:]
    path = tmp_path / "bare.onnx"
    onnx.save(proto, str(path))
    return path


@pytest.fixture
def classifier(tmp_path):
    """Three channels' means as three classes: right however fed, and the surer the larger its inputs."""
    weights = [numpy_helper.from_array(np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1), "w")]
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["y"]),
        helper.make_node("GlobalAveragePool", ["y"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["scores"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, 32, 32))
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, (1, 3))
    graph = helper.make_graph(nodes, "g", [image], [scores], weights)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "colours.onnx"
    onnx.save(proto, str(path))
    return path


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(6):
        bgr = [20, 20, 20]
        bgr[i % 3] = 200
        cv2.imwrite(str(folder / f"{i}.png"), np.full((32, 32, 3), bgr, np.uint8))
    return folder


def test_a_convention_holds_without_truth_and_every_command_says_so(bare, toy, tmp_path, capsys):
    plain = f"plain:{toy.calib / 'images'}"
    out = tmp_path / "made"
    assert main(["compress", str(bare), "--recipe", "int8-minmax", "--calib", plain, "--out", str(out)]) == 0
    told = capsys.readouterr().err
    assert "preprocessing: yolov8, 64x64, RGB, 0..1, letterbox (pad 114); why: the convention" in told
    assert "the images have no truth" in told
    assert tomllib.loads((out / "card.toml").read_text())["input"]["scale"] == pytest.approx(1 / 255)
    for words in (
        ["measure", str(bare), "--data", plain, "--baseline", str(bare), "--what", "map"],
        ["compare", str(bare), str(out / "model.onnx"), "--data", plain],
        ["inspect", str(bare), "--data", plain],
    ):
        assert main([*words, "--json", "--quiet"]) == 0
        fed = json.loads(capsys.readouterr().out)["preprocessing"]
        assert (fed["family"], fed["fit"], fed["colour"], fed["values"]) == (
            "yolov8",
            "letterbox",
            "rgb",
            "0..1",
        )
        assert "convention" in fed["why"]


@pytest.mark.parametrize("command", ["compress", "run", "measure", "compare"])
def test_a_classifier_without_truth_is_asked_for(command, classifier, photos, tmp_path, capsys):
    out = tmp_path / "out"
    words = {
        "compress": ["compress", classifier, "--recipe", "int8-minmax", "--calib", photos, "--out", out],
        "run": ["run", classifier, "--data", photos, "--recipes", "int8-minmax", "--out", out],
        "measure": ["measure", classifier, "--data", photos, "--baseline", classifier, "--what", "map"],
        "compare": ["compare", classifier, classifier, "--data", photos],
    }[command]
    assert main([str(w) for w in words]) == 2
    told = capsys.readouterr().err
    for way in ("--scale imagenet", "--scale -1..1", "--scale caffe", "--scale 0..1", "card.toml", "inspect"):
        assert way in told
    assert not (out / "model.onnx").exists()
    assert len(told.splitlines()) < 24


@pytest.mark.parametrize("said", [["--scale", "-1..1"], ["--scale=-1..1"]])
def test_what_is_said_is_done(said, classifier, photos, tmp_path, capsys):
    words = ["compress", classifier, "--recipe", "int8-minmax", "--calib", photos, "--out", tmp_path / "c"]
    assert main([str(w) for w in (*words, *said)]) == 0
    assert "RGB, -1..1, crop; why: said by --scale -1..1" in capsys.readouterr().err
    assert tomllib.loads((tmp_path / "c" / "card.toml").read_text())["input"]["mean"] == [127.5] * 3


def test_run_draws_what_the_model_finds_before_the_long_work(bare, toy, tmp_path, capsys):
    out = tmp_path / "study"
    plain = f"plain:{toy.calib / 'images'}"
    assert main(["run", str(bare), "--data", plain, "--recipes", "int8-weights", "--out", str(out)]) == 0
    told = capsys.readouterr().err
    assert told.index("preprocessing: yolov8") < told.index("preprocessing.jpg") < told.index("int8-weights")
    picture = cv2.imread(str(out / "preprocessing.jpg"))
    assert picture.shape[0] > 400
    assert picture.shape[1] == 3 * 400
    assert "--scale" not in (out / "study.toml").read_text()


def test_inspect_shows_the_ways_that_are_open_with_a_picture_each(classifier, photos, tmp_path, capsys):
    looked = tmp_path / "looked"
    assert main(["inspect", str(classifier), "--data", str(photos), "--out", str(looked)]) == 2
    told = capsys.readouterr().out
    assert "not tried" in told
    assert "Not decided" in told
    assert len(list(looked.glob("preprocessing-*.jpg"))) == 6
    assert main(["inspect", str(classifier)]) == 0
    assert "--scale imagenet" in capsys.readouterr().out


def test_inspect_tries_with_truth_and_shows_figures_with_intervals(bare, toy, tmp_path, capsys):
    assert main(["inspect", str(bare), "--data", str(toy.data), "--out", str(tmp_path / "looked")]) == 0
    told = capsys.readouterr().out
    assert "AP50" in told
    assert "--scale 0..255" in told
    assert "why: the convention of the family yolov8; tried on 12 images with truth" in told
    assert main(["inspect", str(bare), "--data", str(toy.data), "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["decided"]
    first = found["candidates"][0]
    assert first["low"] <= first["score"] <= first["high"]


def test_card_writes_once_and_leaves_what_is_not_known_open(classifier, photos, capsys):
    assert main(["card", str(classifier), "--data", str(photos)]) == 0
    told = capsys.readouterr()
    written = classifier.with_name("colours.card.toml")
    assert told.out.strip() == str(written)
    assert "not known: [input] colour, scale, mean, std" in told.err
    assert (
        main(["inspect", str(classifier), "--data", str(photos)]) == 2
    )  # the file decides nothing by itself
    capsys.readouterr()
    assert main(["card", str(classifier)]) == 2
    assert "--force" in capsys.readouterr().err
    text = written.read_text().replace("# way 4: RGB, 0..1, crop\n", "")
    written.write_text(f'{text}\ncolour = "rgb"\nscale = "0..1"\n')
    assert main(["inspect", str(classifier), "--data", str(photos), "--json", "--quiet"]) == 0
    fed = json.loads(capsys.readouterr().out)["preprocessing"]
    assert fed["words"] == "RGB, 0..1, crop"
    assert "colours.card.toml" in fed["why"]


def test_a_card_with_truth_says_what_was_tried(bare, toy, tmp_path, capsys):
    out = tmp_path / "card.toml"
    assert main(["card", str(bare), "--data", str(toy.data), "--out", str(out), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["decided"]
    assert "tried on 12 images with truth" in out.read_text()
    shutil.copy(out, bare.with_name("bare.card.toml"))
    assert main(["measure", str(bare), "--data", str(toy.data), "--what", "map"]) == 0


def test_a_one_class_detector_without_metadata_is_fed_by_convention(tmp_path, capsys):
    """Such as a face detector: its class has no name, its input has a convention."""
    import toys

    path = toys.write_detector(tmp_path / "face.onnx", classes=("face",))
    proto = onnx.load(str(path))
    del proto.metadata_props[:]
    onnx.save(proto, str(path))
    images = toys.write_images(tmp_path / "images", 4)
    assert main(["inspect", str(path), "--data", str(images), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["preprocessing"]["words"] == "RGB, 0..1, letterbox (pad 114)"
