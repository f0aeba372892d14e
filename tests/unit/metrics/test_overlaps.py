"""Overlaps of masks, poses and turned boxes, held against COCO's own program and against figures by hand."""

from __future__ import annotations

import numpy as np
import pytest
from faster_coco_eval import COCO
from faster_coco_eval.core.faster_eval_api import COCOeval_faster

from paredown.card import Card, Preprocess
from paredown.data.shapes import coco_outline
from paredown.detections import Detections, Mask
from paredown.metrics import METRICS
from paredown.metrics.overlaps import corner_overlap, drawn, mask_overlap, point_overlap
from paredown.sample import Labels, Outline
from paredown.tasks import TASKS
from paredown.testing.metrics import ANSWERS

SQUARE = [10.0, 10.0, 30.0, 10.0, 30.0, 30.0, 10.0, 30.0]


def one(boxes: list[float], **more: object) -> tuple[Detections, Labels]:
    box, zero = np.array([boxes], np.float32), np.zeros(1, np.int64)
    area = np.array([(boxes[2] - boxes[0]) * (boxes[3] - boxes[1])], np.float32)
    said = Detections(box, np.ones(1, np.float32), zero, **more)  # type: ignore[arg-type]
    return said, Labels(box, zero, np.zeros(1, bool), area, **more)  # type: ignore[arg-type]


def test_an_outline_is_drawn_as_coco_draws_it_from_polygons_and_from_both_kinds_of_runs() -> None:
    polygon = coco_outline([SQUARE])
    assert polygon is not None
    mask = drawn(Outline(polygon.polygons, (40, 50)))
    assert (mask.shape, mask.area) == ((40, 50), 400)
    runs = np.frombuffer(mask.runs, np.uint32).tolist()
    plain = coco_outline({"counts": runs, "size": [40, 50]})
    from paredown.metrics.overlaps import packed

    text = coco_outline({"counts": packed(mask)["counts"].decode(), "size": [40, 50]})
    assert plain is not None
    assert text is not None
    assert drawn(plain) == drawn(text) == mask


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        [[1, 2]],
        [["a"] * 6],
        {"counts": [1, 2], "size": [9, 9]},
        {"counts": "x"},
        [[1e400] * 6],
        "poly",
        [7],
    ],
)
def test_what_is_no_outline_leaves_the_box(value: object) -> None:
    assert coco_outline(value) is None


def test_iou_of_masks() -> None:
    pixels = np.zeros((40, 50), bool)
    pixels[10:30, 10:30] = True
    half = pixels.copy()
    half[:, 20:] = False
    said, _ = one([10, 10, 30, 30], masks=(Mask.of(half),))
    _, truth = one([10, 10, 30, 30], masks=(Mask.of(pixels),))
    assert mask_overlap(said, truth)[0, 0] == pytest.approx(0.5)


def test_iou_of_turned_boxes() -> None:
    diamond = np.array([[[20, 0], [40, 20], [20, 40], [0, 20]]], np.float32)
    said, truth = one([0, 0, 40, 40], corners=diamond)
    assert corner_overlap(said, truth)[0, 0] == pytest.approx(1.0)
    beside, _ = one([10, 10, 50, 50], corners=diamond + 10)  # half a side away: half of each is shared
    assert corner_overlap(beside, truth)[0, 0] == pytest.approx(1 / 3)


def test_average_precision_by_oks_is_cocos() -> None:
    rng = np.random.default_rng(3)
    answers = [ANSWERS["pose"](rng) for _ in range(30)]
    truths = []
    for a in answers:
        assert a.points is not None
        n = len(a)
        moved = np.concatenate(
            [a.points[..., :2] + rng.normal(0, 4, (n, 17, 2)), np.full((n, 17, 1), 2)], axis=2
        )
        area = (a.boxes[:, 2] - a.boxes[:, 0]) * (a.boxes[:, 3] - a.boxes[:, 1])
        zeros = np.zeros(n, np.int64)
        truths.append(Labels(a.boxes, zeros, zeros.astype(bool), area, points=moved.astype(np.float32)))
        object.__setattr__(a, "classes", zeros)
    card = Card("any", "pose", Preprocess((8, 8)), ("person",))
    evidence = TASKS["pose"].against_truth(answers, truths, card)
    mine = METRICS["pose_map50_95"].compute(TASKS["pose"].tally(evidence, np.ones((1, 30), np.int64)))[0]
    assert mine == pytest.approx(_coco(answers, truths), abs=1e-6)
    assert 0.2 < mine < 0.95


def _coco(answers: list[Detections], truths: list[Labels]) -> float:
    annotations, found = [], []
    for i, (a, t) in enumerate(zip(answers, truths, strict=True), 1):
        for box, area, points in zip(t.boxes, t.area, t.points, strict=True):  # type: ignore[arg-type]
            x1, y1, x2, y2 = map(float, box)
            values = points.astype(float).ravel().tolist()
            which = {"id": len(annotations) + 1, "image_id": i, "category_id": 1, "iscrowd": 0}
            box_of = {"area": float(area), "bbox": [x1, y1, x2 - x1, y2 - y1]}
            annotations.append({**which, **box_of, "keypoints": values, "num_keypoints": 17})
        for score, points in zip(a.scores, a.points, strict=True):  # type: ignore[arg-type]
            said = points.astype(float).ravel().tolist()
            found.append({"image_id": i, "category_id": 1, "score": float(score), "keypoints": said})
    images = [{"id": i + 1, "width": 0, "height": 0} for i in range(len(truths))]
    coco = COCO({"images": images, "categories": [{"id": 1, "name": "person"}], "annotations": annotations})
    evaluator = COCOeval_faster(coco, coco.loadRes(found), "keypoints", print_function=lambda *words: None)
    evaluator.params.maxDets = [300]
    evaluator.evaluate()
    evaluator.accumulate()
    return float(np.asarray(evaluator.eval["precision"])[..., 0, -1].mean())


def test_points_that_are_not_marked_count_nothing() -> None:
    points = np.zeros((1, 17, 3), np.float32)
    points[0, 0] = (20, 20, 2)
    said, truth = one([0, 0, 40, 40], points=points)
    wild = points.copy()
    wild[0, 1:, :2] = 999
    other, _ = one([0, 0, 40, 40], points=wild)
    assert point_overlap(said, truth)[0, 0] == point_overlap(other, truth)[0, 0] == pytest.approx(1)
