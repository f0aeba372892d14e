"""Semantic segmentation: a whole job with maps of classes as truth, and one without truth."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from made_up_models import model
from paredown import api, data
from paredown.card import Card, Preprocess
from paredown.deploy.answers import as_json, as_text, picture
from paredown.deploy.save import PictureFolder
from paredown.detections import NO_CLASS, ClassMap
from paredown.families.recognition import predict, recognise
from paredown.job import run
from paredown.preprocessing.letterbox import fit_image
from paredown.study.limits import Limits
from paredown.study.options import Options
from paredown.tasks import TASKS
from toys import SIZE, write_images

CARD = Card(
    "segmenter", "segment", Preprocess((40, 40)), ("none", "disc", "box"), decode={"channels": "first"}
)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """Scores (1, 3, 64, 64): how dark, how red, how blue a pixel's surroundings are."""
    rng = np.random.default_rng(0)
    first = (rng.normal(size=(8, 3, 3, 3)) * 0.2).astype(np.float32)
    second = (rng.normal(size=(3, 8, 1, 1)) * 2).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["a"], pads=[1] * 4, name="a"),
        helper.make_node("Relu", ["a"], ["b"], name="b"),
        helper.make_node("Conv", ["b", "w2"], ["scores"], name="c"),
    ]
    shape = [1, 3, SIZE, SIZE]
    graph = helper.make_graph(
        [*nodes, helper.make_node("Softmax", ["scores"], ["chances"], axis=1, name="d")],
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("chances", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(first, "w1"), numpy_helper.from_array(second, "w2")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "net.onnx"
    path.write_bytes(made.SerializeToString())
    onnx.checker.check_model(made)
    return path


def with_maps(folder: Path, net: Path, n: int, seed: int) -> Path:
    """Images with the float model's own classes as their truth, but for a tenth of the pixels."""
    write_images(folder / "images", n, seed)
    (folder / "masks").mkdir()
    images = data.read_dataset(f"plain:{folder}")
    loaded = api.load(net, images, scale="0..1", fit="stretch")
    assert loaded.card is not None
    session = api.target().compile(loaded.data)
    rng = np.random.default_rng(seed)
    for sample in images:
        fed, _ = fit_image(sample.read(), loaded.card.preprocess)
        tensor = (fed.transpose(2, 0, 1)[None] / 255).astype(np.float32)
        classes = session.run({"image": tensor})["chances"][0].argmax(axis=0)
        classes[rng.random(classes.shape) < 0.1] = 255
        cv2.imwrite(str(folder / "masks" / f"{Path(sample.name).stem}.png"), classes.astype(np.uint8))
    (folder / "masks" / "classes.txt").write_text("none\ndisc\nbox\n")
    return folder


def test_a_whole_job_with_truth(net: Path, tmp_path: Path) -> None:
    judged, calib = (with_maps(tmp_path / name, net, 8, i) for i, name in enumerate(("judged", "calib")))
    options = Options(recipes=("int8",), scale="0..1", fit="stretch")
    outcome = run(net, str(judged), str(calib), out=tmp_path / "study", options=options, limits=Limits(5.0))
    assert (outcome.card.task, outcome.card.classes) == ("segment", ("none", "disc", "box"))
    by_label = {t.label: t.measurement for t in outcome.trials}
    floats, int8 = by_label["float"], by_label["int8"]
    assert floats is not None
    assert int8 is not None
    assert floats.value("miou") == 1  # pixels of no class are left out
    assert 0.7 < int8.value("miou") < 1
    assert int8.value("miou_drop") == pytest.approx(100 * (1 - int8.value("miou")))
    assert int8.value("fidelity_miou") > 0.7
    assert len(int8.curves["ap_per_class"]) == 3
    script = (outcome.bundle / "detect.py").read_text()
    assert "def draw_class_map" in script


def test_without_truth_the_float_models_map_judges(net: Path, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", 5)
    loaded = api.load(net, images, scale="0..1", fit="stretch")
    measured = api.measure(loaded, images, baseline=loaded, what=("map",))
    assert measured.value("fidelity_miou") == 1


def test_the_map_has_the_images_size_however_it_was_fitted() -> None:
    """A letterboxed image: its left half class 1, its right half class 2, the border class 0."""
    for fit in ("letterbox", "letterbox-corner", "stretch"):
        card = Card("segmenter", "segment", Preprocess((40, 40), fit=fit), CARD.classes, decode=CARD.decode)
        image = np.zeros((60, 120, 3), np.uint8)
        image[:, :60, 0], image[:, 60:, 2] = 255, 255
        fed, frame = fit_image(image, card.preprocess)
        scores = np.stack([np.full((40, 40), 99), fed[:, :, 0], fed[:, :, 2]])[None].astype(np.float32)
        found = predict({"o": scores}, card, frame)
        assert isinstance(found, ClassMap)
        assert found.shape == (60, 120)
        wanted = np.repeat([[1, 2]], 60, axis=1)
        assert (found.classes[3:-3] == wanted).mean() > 0.97


def test_numbers_of_classes_and_classes_last() -> None:
    frame = fit_image(np.zeros((40, 40, 3), np.uint8), CARD.preprocess)[1]
    scores = np.random.default_rng(0).random((1, 40, 40, 3)).astype(np.float32)
    last = Card(**{**vars(CARD), "decode": {"channels": "last"}})
    numbers = Card(**{**vars(CARD), "decode": {"channels": "none"}})
    a = predict({"o": scores}, last, frame)
    b = predict({"o": scores.argmax(axis=3).astype(np.int64)}, numbers, frame)
    assert isinstance(a, ClassMap)
    assert isinstance(b, ClassMap)
    np.testing.assert_array_equal(a.classes, b.classes)


@pytest.mark.parametrize(
    ("shape", "tail", "family"),
    [
        ((1, 21, 320, 320), (), "segmenter"),
        ((1, 80, 80, 19), (), "segmenter"),
        ((1, 2, 320, 320), ("Softmax",), "segmenter"),
        ((1, 2, 320, 320), (), "raw"),  # flow, or a matte
        ((1, 3, 320, 320), (), "raw"),  # an image
        ((1, 1, 320, 320), ("Sigmoid",), "raw"),  # depth, edges
        ((1, 85, 20, 20), (), "raw"),  # a detector's grid
    ],
)
def test_what_looks_like_a_map_of_classes(shape: tuple[int, ...], tail: tuple[str, ...], family: str) -> None:
    assert recognise(model({"o": (shape, tail)})).resolve().family == family


def test_the_bundle_says_draws_and_keeps_it(tmp_path: Path) -> None:
    found = ClassMap.of(np.array([[0, 0, 1], [0, 2, NO_CLASS]]))
    assert as_text("a.jpg", found, CARD).startswith("a.jpg: none 60%, disc 20%")
    assert as_json("a.jpg", found, CARD, {})["areas"][0] == {"class": "none", "share": 0.6}  # type: ignore[index]
    image = np.full((2, 3, 3), 200, np.uint8)
    drawn = picture(image, found, CARD)
    assert (drawn[0, 0] == 200).all()
    assert (drawn[1, 1] != 200).any()
    folder = PictureFolder(tmp_path / "out")
    folder.write("a.jpg", drawn)
    folder.write_mask(found.classes)
    kept = cv2.imread(str(tmp_path / "out" / "000000_a_classes.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(kept, [[0, 0, 1], [0, 2, 255]])


def test_maps_are_stored_translated_and_drawn() -> None:
    task = TASKS["segment"]
    said = [ClassMap.of(np.random.default_rng(i).integers(0, 3, (20 + i, 30))) for i in range(2)]
    assert task.restore({k: np.asarray(v) for k, v in task.store(said).items()}) == said
    moved = task.translate(said[0], np.array([2, -1, 0]))
    assert isinstance(moved, ClassMap)
    assert set(np.unique(moved.classes)) == {2, 0, NO_CLASS}
    why, first, second = task.draw_pair(
        np.zeros((20, 30, 3), np.uint8), said[0], ClassMap.of(said[0].classes * 0), None, CARD, 1.0
    )
    assert "% of the pixels" in why
    assert first.shape == second.shape
    assert (first != second).any()
