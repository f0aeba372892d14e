"""Outlines, key points and turned boxes of COCO and YOLO files, as far as the tasks that need them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from paredown import data
from paredown._measure.align import align
from paredown.card import Card, Preprocess
from paredown.metrics import METRICS
from paredown.sample import Dataset, Labels
from paredown.tasks import TASKS
from paredown.testing.metrics import ANSWERS

SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]


def coco(folder: Path, **more: object) -> Dataset:
    """Two images; the second has one object whose box alone is known."""
    images = [{"id": i, "file_name": f"{i}.png", "height": 40, "width": 50} for i in (1, 2)]
    box = {"category_id": 1, "bbox": [10, 10, 20, 20], "area": 400, "iscrowd": 0}
    annotations = [
        {"id": 1, "image_id": 1, **box, **more},
        {"id": 2, "image_id": 2, **box, "segmentation": []},
    ]
    for i in (1, 2):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((40, 50, 3), i, np.uint8))
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "a"}]}
    (folder / "instances.json").write_text(json.dumps(content))
    return data.read_dataset(str(folder))


def card(task: str, *names: str) -> Card:
    return Card("any", task, Preprocess((8, 8)), names or ("a",))


@pytest.mark.parametrize("names", [("a",), ("b", "a")])
def test_masks_are_drawn_where_every_object_has_one(tmp_path: Path, names: tuple[str, ...]) -> None:
    found, notes = align(coco(tmp_path, segmentation=[SQUARE]), card("instances", *names))
    first, second = (s.truth for s in found)
    assert second is None
    assert isinstance(first, Labels)
    assert first.masks is not None
    assert first.masks[0].area == 400  # type: ignore[union-attr]
    assert any("truth of 1 images says nothing about masks" in note for note in notes)


def test_a_detector_takes_the_boxes_of_both(tmp_path: Path) -> None:
    found, notes = align(coco(tmp_path, segmentation=[SQUARE]), card("detect"))
    assert [len(s.truth.boxes) for s in found] == [1, 1]  # type: ignore[attr-defined]
    assert not notes


def test_objects_without_a_marked_point_are_ignored(tmp_path: Path) -> None:
    found, _ = align(coco(tmp_path, keypoints=[12, 12, 2, 0, 0, 0]), card("pose"))
    first, second = (s.truth for s in found)
    assert second is None
    assert isinstance(first, Labels)
    np.testing.assert_equal(first.points, [[[12, 12, 2], [0, 0, 0]]])
    assert first.crowd.tolist() == [False]
    unmarked, _ = align(coco(tmp_path, keypoints=[0, 0, 0, 0, 0, 0]), card("pose"))
    assert unmarked[0].truth.crowd.tolist() == [True]


def yolo(folder: Path, row: str, more: str = "") -> Labels:
    for part in ("images", "labels"):
        (folder / part).mkdir()
    cv2.imwrite(str(folder / "images" / "x.png"), np.zeros((40, 50, 3), np.uint8))
    (folder / "labels" / "x.txt").write_text(row)
    (folder / "data.yaml").write_text(f"train: images\nval: images\nnames: [a]\n{more}")
    truth = data.read_dataset(f"yolo:{folder / 'data.yaml'}", split="val")[0].truth
    assert isinstance(truth, Labels)
    return truth


def test_a_row_of_four_corners_is_a_turned_box_and_an_outline(tmp_path: Path) -> None:
    truth = yolo(tmp_path, "0 0.2 0.25 0.6 0.25 0.6 0.75 0.2 0.75")
    np.testing.assert_allclose(truth.corners, [[[10, 10], [30, 10], [30, 30], [10, 30]]])
    assert truth.masks is not None


@pytest.mark.parametrize(("numbers", "row"), [(3, "0.2 0.25 1 0 0 0"), (2, "0.2 0.25 0 0")])
def test_key_points_stand_behind_the_box(tmp_path: Path, numbers: int, row: str) -> None:
    truth = yolo(tmp_path, f"0 0.5 0.5 0.4 0.5 {row}", f"kpt_shape: [2, {numbers}]")
    np.testing.assert_allclose(truth.points, [[[10, 10, 1 if numbers == 3 else 2], [0, 0, 0]]])


@pytest.mark.parametrize("task", ["instances", "pose", "oriented"])
def test_a_model_agrees_with_itself_to_the_full(task: str) -> None:
    rng = np.random.default_rng(0)
    said = [ANSWERS[task](rng) for _ in range(6)]
    evidence = TASKS[task].against_reference(said, said, card(task, *"abc"))
    tally = TASKS[task].tally(evidence, np.ones((1, 6), np.int64))
    own = [m for m in METRICS.values() if m.task == task and m.against == "reference" and m.headline]
    assert [float(m.compute(tally)[0]) for m in own] == [pytest.approx(1.0)]
    kept = TASKS[task].restore(TASKS[task].store(said))
    assert TASKS[task].disagreement(said, kept, 0.1).max() == 0
