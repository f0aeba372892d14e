"""Small data sets written to disk, one function per format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

WriteImage = Callable[..., Path]


def _write_image(path: Path, height: int = 24, width: int = 32, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    ok, data = cv2.imencode(path.suffix, pixels)
    assert ok
    path.write_bytes(data.tobytes())
    return path


@pytest.fixture
def write_image() -> WriteImage:
    return _write_image


@pytest.fixture
def write_coco() -> Callable[..., Path]:
    def write(root: Path, annotations: list[dict] | None = None, **changes: object) -> Path:
        """Two images of 32 x 24, categories 7 "cat" and 3 "person"."""
        for i in (1, 2):
            _write_image(root / "images" / f"{i}.png", seed=i)
        content = {
            "images": [{"id": i, "file_name": f"{i}.png", "width": 32, "height": 24} for i in (1, 2)],
            "categories": [{"id": 7, "name": "cat"}, {"id": 3, "name": "person"}],
            "annotations": annotations if annotations is not None else [box(1)],
        } | changes
        (root / "instances.json").write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
        return root

    return write


def box(image_id: object, /, **changes: object) -> dict:
    made = {"id": 5, "image_id": image_id, "category_id": 7, "bbox": [1, 2, 10, 12], "area": 60, "iscrowd": 0}
    return made | changes


@pytest.fixture
def coco_box() -> Callable[..., dict]:
    return box


@pytest.fixture
def write_yolo() -> Callable[..., Path]:
    def write(root: Path, rows: str = "0 0.5 0.5 0.25 0.5\n", names: str = "names: [cat, dog]") -> Path:
        """Splits train and val of two images each (32 x 24); the first of each is labelled with `rows`."""
        for split in ("train", "val"):
            for i in (1, 2):
                _write_image(root / "images" / split / f"{i}.png", seed=i + 10 * len(split))
            labels = root / "labels" / split
            labels.mkdir(parents=True)
            (labels / "1.txt").write_text(rows)
        (root / "data.yaml").write_text(f"train: images/train\nval: images/val\ntest: # none\n{names}\n")
        return root

    return write


@pytest.fixture
def write_voc() -> Callable[..., Path]:
    def write(
        root: Path, corners: tuple[object, ...] = (1, 1, 16, 12), head: str = "", extra: str = ""
    ) -> Path:
        """Images a and b of 32 x 24 with one "dog" each; val lists a, train lists b."""
        (root / "Annotations").mkdir(parents=True)
        (root / "ImageSets" / "Main").mkdir(parents=True)
        for i, (stem, split) in enumerate((("a", "val"), ("b", "train"))):
            _write_image(root / "JPEGImages" / f"{stem}.png", seed=i)
            tags = "".join(
                f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
            )
            (root / "Annotations" / f"{stem}.xml").write_text(
                f"{head}<annotation><size><width>32</width><height>24</height></size>"
                f"<object><name>dog</name>{extra}<bndbox>{tags}</bndbox></object></annotation>"
            )
            (root / "ImageSets" / "Main" / f"{split}.txt").write_text(f"{stem}\n")
        (root / "ImageSets" / "Main" / "dog_val.txt").write_text("a 1\n")
        return root

    return write
