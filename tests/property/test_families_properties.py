"""What must hold for every image size, box and card."""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from paredown.boxes.nms import nms
from paredown.card import Card, Preprocess
from paredown.families.card_text import card_text, write_card
from paredown.preprocessing.letterbox import fit_image
from paredown.preprocessing.tensor import preprocess

sides = st.integers(1, 300)
fits = st.sampled_from(["letterbox", "letterbox-corner", "stretch", "crop"])
text = st.text(max_size=20)
numbers = st.floats(-1e6, 1e6)
cards = st.builds(
    Card,
    family=text,
    task=st.sampled_from(["detect", "classify"]),
    preprocess=st.builds(
        Preprocess,
        size=st.tuples(sides, sides),
        fit=fits,
        pad=st.floats(0, 255),
        scale=numbers,
        mean=st.tuples(numbers, numbers, numbers),
        std=st.tuples(numbers, numbers, numbers),
    ),
    classes=st.lists(text).map(tuple),
    conf=st.floats(0, 1),
    decode=st.dictionaries(text, st.one_of(st.booleans(), st.integers(-9, 9), st.tuples(st.integers(0, 9)))),
    origin=st.dictionaries(text, text),
)


@settings(deadline=None)
@given(sides, sides, sides, sides, fits, st.integers(0, 2**32 - 1))
def test_a_box_finds_its_way_back(height: int, width: int, h: int, w: int, fit: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    how = Preprocess((h, w), fit=fit)  # type: ignore[arg-type]
    fitted, frame = fit_image(np.zeros((height, width, 3), np.uint8), how)
    assert fitted.shape == (h, w, 3)
    corners = np.sort(rng.uniform(0, 1, (5, 2, 2)), axis=1) * (width, height)
    there = corners * frame.scale + frame.offset
    np.testing.assert_allclose(frame.to_image(there.reshape(-1, 4)), corners.reshape(-1, 4), atol=1e-3)


@settings(deadline=None)
@given(sides, sides, st.tuples(sides, sides), st.sampled_from(["letterbox", "letterbox-corner"]))
def test_the_image_lies_inside_the_letterbox(
    height: int, width: int, size: tuple[int, int], fit: str
) -> None:
    how = Preprocess(size, fit=fit, pad=0.0, scale=1.0)  # type: ignore[arg-type]
    tensor, frame = preprocess(np.full((height, width, 3), 255, np.uint8), how)
    rows, columns = np.nonzero(tensor[0, 0] == 255)
    right, bottom = width * frame.scale[0] + frame.offset[0], height * frame.scale[1] + frame.offset[1]
    assert abs(columns.min() - frame.offset[0]) < 1
    assert abs(rows.min() - frame.offset[1]) < 1
    assert abs(columns.max() + 1 - right) <= 1
    assert abs(rows.max() + 1 - bottom) <= 1


@given(cards)
def test_a_card_is_toml_that_says_the_same(card: Card) -> None:
    told = tomllib.loads(card_text(card))

    def tuples(value: object) -> object:
        if isinstance(value, dict):
            return {k: tuples(v) for k, v in value.items()}
        return tuple(value) if isinstance(value, list) else value

    plain = {key: tuples(value) for key, value in told.items() if key not in ("input", "decode", "origin")}
    again = Card(
        preprocess=Preprocess(**tuples(told["input"])),  # type: ignore[arg-type]
        decode=tuples(told.get("decode", {})),  # type: ignore[arg-type]
        origin=tuples(told.get("origin", {})),  # type: ignore[arg-type]
        **plain,  # type: ignore[arg-type]
    )
    assert again == card


@settings(deadline=None, max_examples=20)
@given(cards)
def test_a_written_card_is_its_text(card: Card) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "card.toml"
        write_card(card, path)
        assert path.read_bytes().decode() == card_text(card)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(1, 4), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_nms_keeps_no_two_that_overlap_and_drops_none_without_reason(
    n: int, n_classes: int, iou: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 50, (n, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(1, 40, (n, 2))], axis=1)
    scores, classes = rng.random(n), rng.integers(0, n_classes, n)
    kept = nms(boxes, scores, classes, iou=iou, max_detections=n + 1)
    assert (np.diff(scores[kept]) <= 0).all()
    inner = np.clip(
        np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
        - np.maximum(boxes[:, None, :2], boxes[None, :, :2]),
        0,
        None,
    ).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    over = (inner > iou * (area[:, None] + area[None] - inner)) & (classes[:, None] == classes[None])
    for i in range(n):
        better = [k for k in kept if scores[k] > scores[i] and over[i, k]]
        assert (i in kept) == (not better)
