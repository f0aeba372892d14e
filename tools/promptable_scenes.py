"""Drawn scenes with the mask of every object: what a small promptable network is trained and tried on.

Coloured shapes lie on a coloured, uneven ground and hide each other; a mask holds what is visible. The same
seed gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown.detections import Mask
from paredown.sample import Dataset, Labels, Sample

LEAST_PIXELS = 30  # visible of an object that counts, at 96 x 96 pixels


def scene(seed: int, height: int, width: int) -> tuple[NDArray[np.uint8], list[NDArray[np.bool_]]]:
    """The picture (H, W, 3) uint8 RGB and the visible pixels (H, W) of each object."""
    rng = np.random.default_rng([seed, 2304])
    ground = rng.uniform(40, 215, (3, 4, 3)).astype(np.float32)
    image = cv2.resize(ground, (width, height), interpolation=cv2.INTER_CUBIC)
    owner = np.zeros((height, width), np.int32)
    count = int(rng.integers(2, 6))
    for number in range(1, count + 1):
        shape = _shape(rng, height, width)
        colour = rng.uniform(20, 235, 3)
        slope = rng.normal(0, 0.5, 2)
        rows, columns = np.nonzero(shape)
        shade = slope[0] * (rows - rows.mean()) + slope[1] * (columns - columns.mean())
        image[rows, columns] = colour + shade[:, None]
        owner[shape] = number
    image += rng.normal(0, 5, image.shape).astype(np.float32)
    masks = [owner == number for number in range(1, count + 1)]
    least = LEAST_PIXELS * height * width / 96**2
    return np.clip(image, 0, 255).astype(np.uint8), [m for m in masks if m.sum() >= least]


def _shape(rng: np.random.Generator, height: int, width: int) -> NDArray[np.bool_]:
    """The pixels of an ellipse, a box that is turned, a triangle or a ring."""
    canvas = np.zeros((height, width), np.uint8)
    side = min(height, width)
    centre = rng.uniform(0.15, 0.85, 2) * (width, height)
    half, turn = rng.uniform(0.1, 0.3, 2) * side, float(rng.uniform(0, 180))
    kind = int(rng.integers(4))
    at, axes = tuple(map(int, centre)), tuple(map(int, half))
    if kind == 0:
        cv2.ellipse(canvas, at, axes, turn, 0, 360, 1, cv2.FILLED)
    elif kind == 1:
        box = cv2.boxPoints(((float(centre[0]), float(centre[1])), tuple(map(float, 2 * half)), turn))
        cv2.fillPoly(canvas, [box.astype(np.int32)], 1)
    elif kind == 2:
        angles = np.deg2rad(turn + np.array([0, 120, 240]))
        corners = centre + np.stack([np.cos(angles), np.sin(angles)], 1) * 1.3 * half
        cv2.fillPoly(canvas, [corners.astype(np.int32)], 1)
    else:
        cv2.ellipse(canvas, at, axes, turn, 0, 360, 1, max(3, side // 14))
    return canvas > 0


def scenes(n: int, seed: int, size: tuple[int, int] = (53, 64), known: bool = True) -> Dataset:
    """n scenes of a seed as a data set. known: with the true masks."""
    samples = tuple(_sample(1000 * seed + i, size, known) for i in range(n))
    classes = ("shape",) if known else ()
    return Dataset(f"drawn scenes {seed}", "demo", f"seed {seed}", classes, samples)


def _sample(seed: int, size: tuple[int, int], known: bool) -> Sample:
    read = partial(_image, seed, size)
    digest = partial(_digest, seed, size)
    return Sample(f"scene-{seed}.png", read, digest, labels_of(scene(seed, *size)[1]) if known else None)


def labels_of(masks: list[NDArray[np.bool_]]) -> Labels:
    """The truth of a scene."""
    boxes = np.array([box_of(m) for m in masks], np.float32).reshape(-1, 4)
    area = np.array([m.sum() for m in masks], np.float32)
    none = np.zeros(len(masks), np.bool_)
    return Labels(boxes, none.astype(np.int64), none, area, tuple(Mask.of(m) for m in masks))


def box_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """x1 y1 x2 y2 around the pixels, which are some."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _image(seed: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    return scene(seed, *size)[0]


def _digest(seed: int, size: tuple[int, int]) -> str:
    return hashlib.sha256(_image(seed, size).tobytes()).hexdigest()


def write_coco(folder: Path, n: int, seed: int, size: tuple[int, int] = (53, 64)) -> Path:
    """The scenes as a COCO data set with masks as run lengths: images/ and instances.json."""
    (folder / "images").mkdir(parents=True)
    images, rows = [], []
    for i, sample in enumerate(scenes(n, seed, size)):
        cv2.imwrite(str(folder / "images" / sample.name), sample.read()[:, :, ::-1])
        images.append({"id": i + 1, "file_name": sample.name, "height": size[0], "width": size[1]})
        truth = sample.truth
        assert isinstance(truth, Labels)
        for box, mask in zip(truth.boxes.tolist(), truth.masks or (), strict=True):
            assert isinstance(mask, Mask)
            counts = np.frombuffer(mask.runs, np.uint32).tolist()
            rows.append({
                "id": len(rows) + 1, "image_id": i + 1, "category_id": 1, "iscrowd": 0, "area": mask.area,
                "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
                "segmentation": {"counts": counts, "size": list(size)},
            })  # fmt: skip
    categories = [{"id": 1, "name": "shape"}]
    text = json.dumps({"images": images, "annotations": rows, "categories": categories})
    (folder / "instances.json").write_text(text)
    return folder
