"""A folder of images about which nothing is known, or a single image."""

from __future__ import annotations

from pathlib import Path

from paredown.data.files import (
    dataset_name,
    image_files,
    is_file,
    is_image_name,
    relative_name,
    unread_images,
)
from paredown.data.images import file_sample
from paredown.errors import DataError
from paredown.sample import Dataset


def looks_like(path: Path) -> bool:
    if is_file(path):
        return is_image_name(path.name)
    return bool(image_files(path))


def splits(path: Path) -> tuple[str, ...]:
    return ()


def read(path: Path, split: str | None) -> Dataset:
    if is_file(path):
        return Dataset(dataset_name(path), "plain", str(path), (), (file_sample(path, path.name),))
    # Masks and label pictures stand beside a folder called images, and are none themselves.
    root = path / "images" if image_files(path / "images") else path
    images = image_files(root)
    if not images:
        raise DataError(f"no image in {str(path)!r}", expected="JPEG, PNG, BMP, WebP or TIFF files")
    samples = tuple(file_sample(p, relative_name(p, root)) for p in images)
    return Dataset(dataset_name(path), "plain", str(path), (), samples, None, unread_images(root))
