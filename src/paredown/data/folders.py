"""A folder per class, as torchvision's ImageFolder: DIR/CLASS/*.jpg, or DIR/SPLIT/CLASS/*.jpg.

Classes are the folder names, sorted, which is the index order ImageFolder gives.
"""

from __future__ import annotations

from pathlib import Path

from paredown.data.files import (
    dataset_name,
    has_images,
    image_files,
    relative_name,
    sub_folders,
    unread_images,
)
from paredown.data.images import file_sample
from paredown.data.labels import to_class_names
from paredown.data.split_names import split_kind
from paredown.errors import DataError
from paredown.sample import Dataset

# Folders that other formats keep images or masks in: their names are no classes.
_STRUCTURE = frozenset(
    {"images", "labels", "annotations", "jpegimages", "imagesets", "masks", "semantic_masks"}
)


def looks_like(path: Path) -> bool:
    return bool(splits(path)) or _holds_classes(path)


def splits(path: Path) -> tuple[str, ...]:
    folders = sub_folders(path)
    if folders and all(split_kind(f.name) for f in folders):
        return tuple(f.name for f in folders if _holds_classes(f))
    return ()


def read(path: Path, split: str | None) -> Dataset:
    root = path / split if split else path
    folders = [f for f in sub_folders(root) if image_files(f)]
    if not folders:
        raise DataError(f"no class folder with images in {str(root)!r}", expected="CLASS/*.jpg")
    classes = to_class_names((f.name for f in folders), str(root))
    samples = tuple(
        file_sample(p, relative_name(p, root), index)
        for index, f in enumerate(folders)
        for p in image_files(f)
    )
    return Dataset(dataset_name(path), "folders", str(path), classes, samples, split, unread_images(root))


def _holds_classes(path: Path) -> bool:
    folders = sub_folders(path)
    if has_images(path) or any(f.name.lower() in _STRUCTURE for f in folders):
        return False
    return sum(has_images(f) for f in folders) >= 2
