"""Images with a map of classes each: an index PNG of the image's name, as in Pascal VOC and COCO-stuff.

    images/000139.jpg      semantic_masks/000139.png      (or SegmentationClass/, masks/, mask/)

A PNG's pixels are class numbers; 255 is no class. Names stand in classes.yaml, classes.txt or labels.txt
beside the maps or above them; without one the numbers are the names. Images without a map have no truth.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from paredown.data.files import (
    dataset_name,
    files_below,
    head,
    is_file,
    read_bytes,
    read_text,
    relative_name,
    sub_folder,
    unread_images,
)
from paredown.data.images import file_sample
from paredown.data.index_png import HEADER_BYTES, is_index_png, read_index_png
from paredown.data.pairs import images_of
from paredown.detections import ClassMap
from paredown.errors import DataError
from paredown.sample import Dataset, Sample

FOLDERS = ("segmentationclass", "semantic_masks", "masks", "mask")
NAME_FILES = ("classes.yaml", "classes.txt", "labels.txt", "class_names.txt")
MOST_BYTES = 100_000_000
NAMES_BYTES = 1_000_000


def looks_like(path: Path) -> bool:
    folder = sub_folder(path, *FOLDERS)
    maps = [] if folder is None else files_below(folder, ".png")
    return bool(maps) and is_index_png(head(maps[0], HEADER_BYTES))


def splits(path: Path) -> tuple[str, ...]:
    return ()


def read(path: Path, split: str | None) -> Dataset:
    folder = sub_folder(path, *FOLDERS)
    maps = {} if folder is None else {p.stem: p for p in files_below(folder, ".png")}
    if folder is None or not maps:
        raise DataError(f"no maps of classes in {str(path)!r}", expected="semantic_masks/*.png, or the like")
    images = [p for p in images_of(path) if folder not in p.parents]
    paired = {p: maps[p.stem] for p in images if p.stem in maps}
    if not paired:
        raise DataError(
            f"no map in {str(folder)!r} has the name of an image", got=min(maps), expected="an image's name"
        )
    truths = {p: read_index_png(read_bytes(m, MOST_BYTES), str(m)) for p, m in paired.items()}
    most = max(int(t.classes.max(initial=0)) for t in truths.values())
    named = _names(folder) or _names(path)
    classes = tuple(named.get(i, str(i)) for i in range(max(most, *named, 0) + 1)) if named else tuple(
        str(i) for i in range(most + 1)
    )  # fmt: skip
    samples = tuple(_sample(p, path, truths[p]) for p in images if p in truths)
    left = len(images) - len(samples)
    notes = (f"{left} images without a map of classes were left out",) if left else ()
    return Dataset(
        dataset_name(path), "masks", str(path), classes, samples, None, (*notes, *unread_images(path))
    )


def _sample(image: Path, root: Path, truth: ClassMap) -> Sample:
    return file_sample(image, relative_name(image, root), truth, truth.shape)


def _names(folder: Path) -> dict[int, str]:
    """The names by their numbers; none where no file gives them. Raises DataError on what is none."""
    file = next((folder / n for n in NAME_FILES if is_file(folder / n)), None)
    if file is None:
        return {}
    text = read_text(file, NAMES_BYTES)
    if file.suffix == ".txt":
        return dict(enumerate(line.strip() for line in text.splitlines() if line.strip()))
    try:
        said: Any = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise DataError(f"{str(file)!r} is no YAML", got=str(error)[:200]) from error
    found = said.get("classes", said.get("names")) if isinstance(said, dict) else said
    if isinstance(found, list):
        found = dict(enumerate(found))
    if not isinstance(found, dict) or not all(isinstance(k, int) and 0 <= k < 32768 for k in found):
        raise DataError(
            f"{str(file)!r} names no classes", expected="classes: {0: background, 1: person, ...}"
        )
    return {number: str(name) for number, name in found.items()}
