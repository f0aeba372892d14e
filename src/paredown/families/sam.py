"""Promptable masks: SAM, MobileSAM, EfficientSAM and others of their kind, encoder and decoder in one graph.

Inputs: the image; points (1, N, 2) and their labels (1, N), EfficientSAM's (1, 1, N, 2) and (1, 1, N);
perhaps a mask from before (1, 1, h, w) and whether there is one (1,), fed with zeros. Outputs: M masks
(1, M, h, w) over the input, above 0 inside, and how well each fits (1, M), a guess of its IoU; SAM's four are
one for prompts without doubt and three that a point may mean, EfficientSAM's three are all of that kind.
A mask is brought to the input's size, then to the image's, as SAM's `postprocess_masks` does.
Where encoder and decoder are two files, a card's [parts] joins them (docs/promptable.md).

Sources: Kirillov et al., Segment Anything, 2023, arXiv 2304.02643, section 3 and appendix A;
facebookresearch/segment-anything, `utils/onnx.py`, `predictor.py` (`multimask_output` for boxes and points).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown.card import Card
from paredown.detections import Detections, Mask, RawAnswer
from paredown.families.family import Match
from paredown.families.features import Features
from paredown.families.outputs import Output, spell
from paredown.model import TensorSpec
from paredown.preprocessing.letterbox import Frame
from paredown.preprocessing.prompts import ASKED, BOX, KINDS, LABELS, NOTHING, OBJECT, POINT, POINTS
from paredown.preprocessing.values import IMAGENET_MEAN, IMAGENET_STD

NAME = "sam"
TASK = "promptable"
SUMMARY = "SAM and its kind: masks of what points or a box ask for"
SINGLE = 4  # masks of SAM: the first is for prompts that leave no doubt
LEAST_SIDE = 8  # pixels: a mask has more
PAD = 116.0  # SAM pads with zeros behind the normalisation: the mean of its means, in pixels


def candidates(outputs: Mapping[str, Any], card: Card, least: float) -> RawAnswer:
    """The masks and their guesses as they are: there are no boxes to look at."""
    maps, fits = _answer(outputs, card)
    return RawAnswer((maps.ravel(), fits), (maps.shape, fits.shape))


def decode(
    outputs: Mapping[str, Any], card: Card, frame: Frame, *, conf: float, iou: float, max_detections: int
) -> Detections:
    """One detection: the mask of the prompt, its box and the model's guess of its IoU, cut off to 0..1.

    A prompt has an answer whatever the thresholds; an empty mask has a box of no size.
    """
    maps, fits = _answer(outputs, card)
    best = _chosen(fits, card.decode)
    mask = _pixels(maps[best], frame, card.preprocess.size)
    box = np.zeros((1, 4), np.float32)
    if mask.any():
        columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
        box[0] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    kind = BOX if card.decode[ASKED] == "box" else POINT
    score = np.clip(fits[best : best + 1], 0, 1).astype(np.float32)
    return Detections(box, score, np.array([kind], np.int64), (Mask.of(mask),))


def _answer(outputs: Mapping[str, Any], card: Card) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(M, h, w) masks and (M,) guesses."""
    answers = list(outputs.values())
    maps = np.asarray(answers[cast("int", card.decode["masks"])], np.float32)
    fits = np.asarray(answers[cast("int", card.decode["fits"])], np.float32).ravel()
    maps = maps.reshape(-1, *maps.shape[-2:])
    if len(maps) != len(fits):
        raise ValueError(f"{len(maps)} masks and {len(fits)} guesses of their fit")
    return maps, fits


def _chosen(fits: NDArray[np.float32], how: Mapping[str, object]) -> int:
    """The one for prompts without doubt where there is one and a box asks, else the best of the others."""
    single = cast("int", how["single"])
    if single < 0 or len(fits) == 1:
        return int(fits.argmax())
    if how[ASKED] == "box":
        return single
    others = [i for i in range(len(fits)) if i != single]
    return others[int(fits[others].argmax())]


def _pixels(values: NDArray[np.float32], frame: Frame, size: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) of the image, where values (h, w) over the input are above 0."""
    fine = cv2.resize(values, size[::-1], interpolation=cv2.INTER_LINEAR)
    height, width = frame.image_size
    x = (np.arange(width) + 0.5) * frame.scale[0] + frame.offset[0] - 0.5
    y = (np.arange(height) + 0.5) * frame.scale[1] + frame.offset[1] - 0.5
    across, down = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    there = cv2.remap(fine, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(there > 0)


def matches(features: Features) -> Match | None:
    """The match of an image, points and their labels as inputs, masks and guesses as outputs."""
    fed = _asked(features)
    found = _answers(features.outputs)
    if fed is None or found is None:
        return None
    points, labels, others = fed
    masks, fits, count = found
    why = (
        f"inputs {points} and {labels} beside the image, outputs {spell(features.outputs)}: "
        "masks of what is asked for"
    )
    how = {POINTS: points.name, LABELS: labels.name, ASKED: "point", "masks": masks, "fits": fits}
    how |= {"single": 0 if count == SINGLE else -1}
    how |= {key: value for key, value in features.said.items() if key in how}
    inputs = {"fit": "letterbox-corner", "pad": PAD, "mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    cards = features.cards(NAME, TASK, len(KINDS), [inputs], decode=how, why=why)
    usual = (*_middle(points, labels, features.size), *((s.name, (0.0,)) for s in others))
    return Match(tuple(_with(card, usual) for card in cards), 0.9, why)


def _with(card: Card, usual: tuple[tuple[str, tuple[float, ...]], ...]) -> Card:
    """The card whose classes are the kinds of prompts, fed with a usual one."""
    origin = {**card.origin, "classes": "the kinds of prompts that it is judged by"}
    return replace(
        card, classes=KINDS, conf=0.0, origin=origin, preprocess=replace(card.preprocess, others=usual)
    )


def _middle(
    points: TensorSpec, labels: TensorSpec, size: tuple[int, int]
) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """What the two inputs are fed where nothing is asked: a point in the middle of the input."""
    n = points.shape[-2] or 2
    middle = (size[1] / 2, size[0] / 2) + (0.0,) * (2 * (n - 1))
    return (points.name, middle), (labels.name, (float(OBJECT),) + (float(NOTHING),) * (n - 1))


def _asked(features: Features) -> tuple[TensorSpec, TensorSpec, tuple[TensorSpec, ...]] | None:
    """The inputs of points and of labels, and those that are fed zeros; None where it is another model.

    What a card's [decode] names goes before the shapes.
    """
    rest = [s for s in features.inputs if s.name != features.preprocess.image]
    pairs = [
        (p, q)
        for p in rest
        for q in rest
        if p is not q and _are_points(p) and q.shape == p.shape[:-1]
        if features.said.get(POINTS, p.name) == p.name and features.said.get(LABELS, q.name) == q.name
    ]
    if len(pairs) != 1:
        return None
    points, labels = pairs[0]
    others = tuple(s for s in rest if s not in (points, labels))
    if len(others) > 2 or not all(_is_mask(s) or _is_flag(s) for s in others):
        return None
    return points, labels, others


def _are_points(spec: TensorSpec) -> bool:
    """(1, N, 2) or (1, 1, N, 2) floats, N at least 2: a box."""
    if len(spec.shape) not in (3, 4):
        return False
    *first, count, two = spec.shape
    ones = all(d in (None, 1) for d in first)
    return spec.dtype.startswith("float") and ones and two == 2 and (count is None or count >= 2)


def _is_mask(spec: TensorSpec) -> bool:
    return len(spec.shape) == 4 and spec.shape[1] == 1


def _is_flag(spec: TensorSpec) -> bool:
    return spec.shape in ((1,), ())


def _answers(outputs: tuple[Output, ...]) -> tuple[int, int, int | None] | None:
    """Positions of masks and guesses, and how many masks there are; None where it is another model.

    Of several outputs of masks the coarsest is read: the others are the same, brought to another size.
    """
    maps = [i for i, o in enumerate(outputs) if _are_masks(o.shape)]
    fits = [i for i, o in enumerate(outputs) if 2 <= len(o.shape) <= 3 and set(o.shape[:-1]) <= {None, 1}]
    if not maps or len(fits) != 1 or len(maps) + len(fits) != len(outputs):
        return None
    counts = {c for c in (*(outputs[i].shape[-3] for i in maps), outputs[fits[0]].shape[-1]) if c is not None}
    if len(counts) > 1 or (len(maps) > 1 and any(None in outputs[i].shape[-2:] for i in maps)):
        return None
    coarsest = min(maps, key=lambda i: outputs[i].shape[-1] or 0)
    return coarsest, fits[0], next(iter(counts), None)


def _are_masks(shape: tuple[int | None, ...]) -> bool:
    """(1, M, h, w) or (1, 1, M, h, w)."""
    return (
        len(shape) in (4, 5) and set(shape[:-3]) <= {None, 1} and all(d is None or d > 8 for d in shape[-2:])
    )
