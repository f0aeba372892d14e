"""A decode file that gives more than boxes: it says its task, and its parts are checked."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from made_up_models import model
from paredown.card import Card
from paredown.detections import ClassMap, Detections, Prediction
from paredown.errors import CardError, UnknownName
from paredown.families.hints import Hints, recognise_file
from paredown.families.own_decode import decode as on_device
from paredown.families.own_process import DecodeProcess
from paredown.families.recognition import predict
from paredown.job import run
from paredown.preprocessing.letterbox import fit_image
from paredown.study.limits import Limits
from paredown.study.options import Options
from toys import Toy

ODD = model({"o": ((1, 7, 9), ())}, input_shape=(1, 3, 32, 32))
OUTPUTS = {"o": np.zeros((1, 7, 9), np.float32)}
LOOSE = Limits(min_agreement=1)
ONE = "[[4, 8, 20, 24]], [0.9], [1]"


def text(task: str, returned: str) -> str:
    return f'import numpy as np\n\nTASK = "{task}"\n\n\ndef decode(outputs, size):\n    return {returned}\n'


def card_of(tmp_path: Path, source: str) -> Card:
    file = tmp_path / "my_head.py"
    file.write_text(source)
    card = recognise_file(ODD, Path("odd.onnx"), Hints(decode=file, fit="stretch")).resolve()
    return replace(card, classes=("disc", "box"))


def answers(card: Card) -> list[Prediction]:
    """What the card's file says of an image of twice the input's size: apart, and as on the device."""
    _, frame = fit_image(np.zeros((64, 64, 3), np.uint8), card.preprocess)
    return [predict(OUTPUTS, card, frame, 0.1),
            on_device(OUTPUTS, card, frame, conf=0.1, iou=0.5, max_detections=9)]  # fmt: skip


@pytest.mark.parametrize("values", ["np.arange(16) >= 8", "(np.arange(16) >= 8) * 0.9"])
def test_masks_over_the_input_are_brought_to_the_image_within_their_box(tmp_path: Path, values: str) -> None:
    """The mask is the right half of the input, at half its resolution; the box 8, 16, 40, 48 of the image."""
    card = card_of(tmp_path, text("instances", f"{ONE}, np.broadcast_to({values}, (1, 16, 16))"))
    assert card.task == "instances"
    for found in answers(card):
        assert isinstance(found, Detections)
        assert found.masks is not None
        rows, columns = np.nonzero(found.masks[0].pixels)
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (16, 47, 32, 39)


def test_an_object_without_a_pixel_is_none_and_no_object_is_no_error(tmp_path: Path) -> None:
    for returned in (f"{ONE}, np.zeros((1, 8, 8))", "[], [], [], []"):
        for found in answers(card_of(tmp_path, text("instances", returned))):
            assert isinstance(found, Detections)
            assert (len(found), found.masks) == (0, ())


def test_masks_may_be_left_out_of_the_verdict(tmp_path: Path) -> None:
    card = card_of(tmp_path, text("instances", f"{ONE}, np.ones((1, 8, 8))"))
    assert [getattr(found, "masks", 0) for found in answers(replace(card, task="detect"))] == [None, None]


@pytest.mark.parametrize(("point", "sure"), [("[[[16, 8]]]", 1.0), ("[[[16, 8, 0.25]]]", 0.25)])
def test_key_points_are_brought_to_the_image(tmp_path: Path, point: str, sure: float) -> None:
    card = card_of(tmp_path, text("pose", f"{ONE}, {point}"))
    for found in answers(card):
        assert isinstance(found, Detections)
        assert found.points is not None
        assert found.points.tolist() == [[[32, 16, sure]]]


def test_turned_boxes_are_kept_by_their_own_overlap(tmp_path: Path) -> None:
    """Two crossing bars whose upright boxes are the same."""
    bars = "[[[4, 4], [6, 2], [28, 24], [26, 26]], [[26, 2], [28, 4], [6, 26], [4, 24]]]"
    boxes = "[[4, 2, 28, 26]] * 2, [0.9, 0.8], [1, 1]"
    for found in answers(card_of(tmp_path, text("oriented", f"{boxes}, {bars}"))):
        assert isinstance(found, Detections)
        assert found.corners is not None
        assert len(found) == 2
        assert found.corners[0].tolist() == [[8, 8], [12, 4], [56, 48], [52, 52]]


@pytest.mark.parametrize(
    "returned",
    ["np.eye(2, dtype=int)", "np.eye(2)[None]", "np.stack([1 - np.eye(2), np.eye(2)])", "(np.eye(2),)"],
)
def test_a_map_is_the_class_of_every_pixel_or_scores(tmp_path: Path, returned: str) -> None:
    card = card_of(tmp_path, text("segment", returned))
    assert card.task == "segment"
    for found in answers(card):
        assert isinstance(found, ClassMap)
        assert found.classes[[0, 0, 63, 63], [0, 63, 0, 63]].tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize(
    ("task", "returned", "says"),
    [
        ("detect", f"{ONE}, [1]", r'what the fourth is: "instances" \(masks\)'),
        ("detect", "np.zeros((4, 4))", 'TASK = "segment" in the file'),
        ("instances", ONE, "3 values, not boxes, scores, classes, masks"),
        ("instances", f"{ONE}, np.zeros((2, 8, 8))", r"\(2, 8, 8\), not .*\(n, h, w\)"),
        ("instances", f"{ONE}, np.full((1, 8, 8), -1)", "below 0"),
        ("pose", f"{ONE}, [[1, 2, 3]]", r"\(n, P, 3\)"),
        ("oriented", f"{ONE}, [[[1, 2], [3, 4]]]", r"\(n, 4, 2\)"),
        ("segment", "np.full((4, 4), 0.5)", "not of class numbers"),
        ("segment", ONE, "not a map"),
        ("segment", "np.zeros(9)", "not a map"),
    ],
)
def test_what_is_none_of_it_is_refused(task: str, returned: str, says: str) -> None:
    with pytest.raises(CardError, match=says), DecodeProcess(text(task, returned), "my_head.py") as process:
        process(OUTPUTS, (32, 32))


@pytest.mark.parametrize("line", ['TASK = "panoptic"', "TASK: str = KIND", "TASK = 3"])
def test_a_task_that_no_file_has_is_refused_before_it_runs(tmp_path: Path, line: str) -> None:
    with pytest.raises(UnknownName, match="TASK of a decode file"):
        card_of(tmp_path, f"{line}\n\n\ndef decode(outputs, size):\n    raise RuntimeError\n")


BOXES = """
import numpy as np

TASK = "instances"


def decode(outputs, size):
    (answer,) = outputs.values()
    answer = answer[0][:, answer[0, 4:].max(axis=0) > 0.05]
    cx, cy, w, h = answer[:4]
    boxes = np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], axis=1)
    y, x = np.mgrid[:64, :64] + 0.5
    masks = [(x > a) & (y > b) & (x < c) & (y < d) for a, b, c, d in boxes]
    return boxes, answer[4:].max(axis=0), answer[4:].argmax(axis=0), masks
"""
MAP = """
import numpy as np

TASK = "segment"


def decode(outputs, size):
    (answer,) = outputs.values()
    return answer[0, 4:, :64].reshape(2, 8, 8)
"""


@pytest.mark.parametrize(("source", "task"), [(BOXES, "instances"), (MAP, "segment")])
def test_a_whole_job_judges_and_ships_it(toy: Toy, tmp_path: Path, source: str, task: str) -> None:
    head = tmp_path / "my_head.py"
    head.write_text(source)
    options = Options(recipes=("int8-minmax",), decode=str(head), fit="stretch", scale="0..1")
    images = toy.data / "images"
    outcome = run(toy.model, images, toy.calib, out=tmp_path / "study", options=options, limits=LOOSE)
    assert (outcome.card.family, outcome.card.task) == ("own", task)
    head.unlink()
    script = [sys.executable, str(outcome.bundle / "detect.py"), str(images), "--frames", "1", "--json"]
    told = json.loads(subprocess.run(script, capture_output=True, text=True, check=True).stdout)
    assert told["areas" if task == "segment" else "detections"]
