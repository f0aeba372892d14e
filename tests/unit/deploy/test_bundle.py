"""The bundle: what it holds, that it replaces the old one whole, and that it runs without Paredown."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from bare_python import bare_site, run_bare
from onnx import TensorProto, helper, numpy_helper

from paredown.card import Card, Preprocess
from paredown.deploy import write_bundle
from paredown.deploy.answers import as_json, as_text, picture
from paredown.detections import Detections
from paredown.draw import draw_detections
from paredown.errors import StorageError
from paredown.families.recognition import predict
from paredown.graph.load import load_model
from paredown.measurement import Measurement, Quantity, StepRecord, Trial
from paredown.model import Model
from paredown.preprocessing.tensor import preprocess
from paredown.targets import target

SIDE = 64
CELLS = 84  # of strides 8, 16 and 32
CLASSES = ("person", "car", "dog")


def detector(path: Path) -> Model:
    """A network whose boxes are fixed and whose scores follow the brightness of three strips of the image."""
    rng = np.random.default_rng(3)
    centre, size = rng.uniform(8, 56, (2, CELLS)), rng.uniform(6, 30, (2, CELLS))
    boxes = np.concatenate([centre, size])[None].astype(np.float32)
    weights = rng.normal(0, 2, (3 * CELLS, 3, SIDE, SIDE)).astype(np.float32) / SIDE
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["scores"]),
        helper.make_node("Concat", ["boxes", "scores"], ["out"], axis=1),
    ]
    values = {"w": weights, "shape": np.array([1, 3, CELLS]), "boxes": boxes}
    return saved(nodes, values, (1, 7, CELLS), path)


def classifier(path: Path) -> Model:
    weights = np.random.default_rng(1).normal(0, 1, (3, 3, SIDE, SIDE)).astype(np.float32) / SIDE
    nodes = [helper.make_node("Conv", ["image", "w"], ["c"]), helper.make_node("Flatten", ["c"], ["out"])]
    return saved(nodes, {"w": weights}, (1, 3), path)


def saved(nodes, values: dict[str, np.ndarray], shape: tuple[int, ...], path: Path) -> Model:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, SIDE, SIDE))
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, shape)
    weights = [numpy_helper.from_array(v, n) for n, v in values.items()]
    graph = helper.make_graph(nodes, "g", [image], [out], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return load_model(path)


def trial(label: str = "int8") -> Trial:
    quantities = (
        Quantity("map50_95", 0.41, "", "higher", low=0.39, high=0.43),
        Quantity.listed("latency_s", samples=(0.030, 0.031, 0.032)),
    )
    measured = Measurement("cd" * 32, "local", {"cpu": "some"}, quantities, {"confidence_histogram": (1.0,)})
    log = (StepRecord("w8a8", "node", "float", "tail"),)
    return Trial("w8a8-pc", label, "ab" * 32, "models/int8.onnx", "local", 0, measured, log)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for i, shape in enumerate([(48, 90, 3), (120, 70, 3), (64, 64)]):
        small = rng.integers(0, 255, (6, 6, *shape[2:]), dtype=np.uint8)
        image = cv2.resize(small, shape[1::-1], interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{i} picture.png"), image)
    return folder


HERE = target("local")
CARD = Card("yolov8", "detect", Preprocess((SIDE, SIDE)), CLASSES, conf=0.5)


def test_without_paredown_it_finds_the_same_boxes(tmp_path: Path, pictures: Path) -> None:
    model = detector(tmp_path / "m.onnx")
    bundle = write_bundle(model, CARD, trial(), HERE, tmp_path / "best", source_name="street.onnx")
    done = run_bare(bare_site(tmp_path), bundle, str(pictures), "--json", "--save", str(tmp_path / "drawn"))
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(a["image"]).name for a in answers] == ["0 picture.png", "1 picture.png", "2 picture.png"]
    session = onnxruntime.InferenceSession(model.data, providers=["CPUExecutionProvider"])
    found = 0
    for answer in answers:
        image = cv2.cvtColor(cv2.imread(answer["image"], cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        tensor, frame = preprocess(image, CARD.preprocess)
        expected = predict({"out": session.run(None, {"image": tensor})[0]}, CARD, frame)
        assert isinstance(expected, Detections)
        rows = answer["detections"]
        assert [CLASSES.index(r["class"]) for r in rows] == expected.classes.tolist()
        np.testing.assert_array_equal([r["box"] for r in rows], expected.boxes)
        np.testing.assert_array_equal([r["score"] for r in rows], expected.scores)
        found += len(rows)
    assert found > 10
    assert len(list((tmp_path / "drawn").glob("*.jpg"))) == 3
    assert "3 images" in done.stderr


def test_only_what_it_was_judged_on_is_told(tmp_path: Path, pictures: Path) -> None:
    model, site, judged = detector(tmp_path / "m.onnx"), bare_site(tmp_path), ("dog", "person")
    bundle = write_bundle(model, CARD, trial(), HERE, tmp_path / "best", judged_on="yard", classes=judged)
    told = {}
    for words in ((), ("--classes", "all"), ("--classes", "car"), ("--classes", "dig")):
        done = run_bare(site, bundle, str(pictures), "--json", *words)
        rows = [r["class"] for line in done.stdout.splitlines() for r in json.loads(line)["detections"]]
        told[words[1:]] = {*rows} or done.stderr
    assert told[()] == {*judged}
    assert told[("all",)] == {*CLASSES}
    assert told[("car",)] == {"car"}
    assert "no class 'dig': did you mean 'dog'?" in told[("dig",)]
    text = (bundle / "README.md").read_text()
    assert "judged on dog, person alone" in text
    assert '"yard, dog, person alone"' in text  # hubs: these figures are not of all classes
    assert "yard" not in (bundle / "detect.py").read_text()


def test_a_classifier_names_its_best_classes(tmp_path: Path, pictures: Path) -> None:
    card = Card("classifier", "classify", Preprocess((SIDE, SIDE), "crop"), CLASSES)
    bundle = write_bundle(classifier(tmp_path / "m.onnx"), card, trial(), HERE, tmp_path / "best")
    site = bare_site(tmp_path)
    done = run_bare(site, bundle, str(pictures), "--frames", "2", "--save", str(tmp_path / "drawn"))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert all(name in done.stdout for name in CLASSES)
    done = run_bare(site, bundle, str(pictures), "--classes", "dog")
    assert "of detections only" in done.stderr
    assert "print([card.classes[i]" in (bundle / "README.md").read_text()


def test_a_video_is_read_frame_by_frame(tmp_path: Path) -> None:
    video = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 10, (80, 60))
    if not writer.isOpened():
        pytest.skip("this OpenCV cannot write a video (hint: any opencv-python-headless wheel can)")
    for i in range(5):
        writer.write(np.full((60, 80, 3), 40 * i, np.uint8))
    writer.release()
    bundle = write_bundle(detector(tmp_path / "m.onnx"), CARD, trial(), HERE, tmp_path / "best")
    out = tmp_path / "out.avi"
    site = bare_site(tmp_path)
    done = run_bare(site, bundle, str(video), "--frames", "3", "--save", str(out))
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["frame 0", "frame 1", "frame 2"]
    annotated = cv2.VideoCapture(str(out))
    assert annotated.get(cv2.CAP_PROP_FRAME_COUNT) == 3
    assert annotated.get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    assert annotated.read()[1].shape == (60, 80, 3)
    done = run_bare(site, bundle, str(video), "--save", str(out))
    assert done.returncode == 1
    assert "is there already" in done.stderr


def test_images_of_several_sizes_make_no_video(tmp_path: Path) -> None:
    (tmp_path / "mixed").mkdir()
    for i, width in enumerate((80, 96)):
        cv2.imwrite(str(tmp_path / "mixed" / f"{i}.png"), np.zeros((60, width, 3), np.uint8))
    bundle = write_bundle(detector(tmp_path / "m.onnx"), CARD, trial(), HERE, tmp_path / "best")
    site = bare_site(tmp_path)
    done = run_bare(site, bundle, str(tmp_path / "mixed"), "--save", str(tmp_path / "o.avi"))
    assert done.returncode == 1
    assert "--save DIR" in done.stderr


def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path) -> None:
    bundle = write_bundle(detector(tmp_path / "m.onnx"), CARD, trial(), HERE, tmp_path / "best")
    site = bare_site(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8 no more")
    (tmp_path / "notes.txt").write_text("no video\n" * 99)
    for source, said in (
        ("notes.txt", "is no image and no video by its ending"),
        ("empty", "no image in"),
        ("absent.jpg", "no such file"),
        ("bad.jpg", "is no image"),
    ):
        done = run_bare(site, bundle, str(tmp_path / source))
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_it_holds_the_evidence_and_the_way_to_use_it(tmp_path: Path) -> None:
    model = detector(tmp_path / "m.onnx")
    bundle = write_bundle(model, CARD, trial(), HERE, tmp_path / "best", source_name="street.onnx")
    names = {p.name for p in bundle.iterdir()}
    assert names == {"model.onnx", "card.toml", "detect.py", "measured.json", "README.md"}
    assert (bundle / "model.onnx").read_bytes() == model.data
    measured = json.loads((bundle / "measured.json").read_text())
    assert measured["model_sha256"] == model.sha256
    assert measured["measurement"]["quantities"][1]["samples"] == [0.030, 0.031, 0.032]
    readme = (bundle / "README.md").read_text()
    assert "# street, int8" in readme
    assert "31.0" in readme
    assert "$" not in readme


def test_an_older_bundle_is_replaced_whole_or_kept(tmp_path: Path) -> None:
    model = detector(tmp_path / "m.onnx")
    bundle = write_bundle(model, CARD, trial("first"), HERE, tmp_path / "best")
    (bundle / "left-over").write_text("")
    write_bundle(model, CARD, trial("second"), HERE, tmp_path / "best")
    assert (bundle / "left-over").exists()  # it may be the user's: pictures saved there, say
    assert json.loads((bundle / "measured.json").read_text())["label"] == "second"
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        write_bundle(model, CARD, trial(), HERE, tmp_path / "file" / "best")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best", "file", "m.onnx"]


@pytest.mark.parametrize("cut", ["the old one set aside", "the new one in place"])
def test_a_replacement_that_was_cut_short_loses_nothing_of_the_users(tmp_path: Path, cut: str) -> None:
    model, out, old = detector(tmp_path / "m.onnx"), tmp_path / "best", tmp_path / ".best.old"
    write_bundle(model, CARD, trial(), HERE, out)
    (out / "notes.txt").write_text("mine")
    out.rename(old)
    if cut == "the new one in place":
        write_bundle(model, CARD, trial(), HERE, tmp_path / "other")
        (tmp_path / "other").rename(out)
    write_bundle(model, CARD, trial(), HERE, out)
    assert (out / "notes.txt").read_text() == "mine"
    assert not old.exists()


def test_half_a_character_in_a_class_name_draws_a_question_mark() -> None:
    """OpenCV ends the process on it."""
    found = Detections(np.array([[4, 20, 30, 40]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int64))
    assert draw_detections(np.zeros((64, 64, 3), np.uint8), found, ("c\ud800t",)).any()


def test_a_class_beyond_the_cards_list_is_named_by_its_number() -> None:
    found = Detections(np.array([[4, 20, 30, 40]], np.float32), np.ones(1, np.float32), np.array([86]))
    assert as_json("a.jpg", found, CARD, {})["detections"][0]["class"] == "class 86"  # type: ignore[index]
    assert as_text("a.jpg", found, CARD) == "a.jpg: 1 class 86"
    assert picture(np.zeros((64, 64, 3), np.uint8), found, CARD).any()
