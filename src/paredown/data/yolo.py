"""Ultralytics YOLO: a data.yaml that names classes and splits, and a .txt of boxes for each image.

A label file stands where its image stands, with the last folder `images` replaced by `labels`. An image
without a label file is a true negative, unless the whole split has no label file: then nothing is known.
Without a data.yaml: `darknet.py`. What a row says: `yolo_rows.py`.

Source: docs.ultralytics.com/datasets/detect (read as `ultralytics/data/utils.py::verify_image_label` reads
it).
Differs from the source: a bad row stops with its line instead of dropping the image; boxes that reach
outside are clipped.
"""

from __future__ import annotations

import os
from collections import Counter
from itertools import chain
from pathlib import Path

import yaml

from paredown.data import darknet
from paredown.data.files import (
    dataset_name,
    files_in,
    image_files,
    is_file,
    is_image_name,
    read_text,
    relative_name,
    sub_folder,
    unread_images,
)
from paredown.data.images import file_sample
from paredown.data.labels import Repairs, shown, to_class_names
from paredown.data.yolo_rows import MAX_LABEL_BYTES, class_number, forward, point_width, read_truth
from paredown.errors import DataError, UsageError
from paredown.sample import Dataset

MAX_YAML_BYTES = 256 << 10  # 5,000 classes; PyYAML takes seconds for more
_SPLITS = ("train", "val", "test", "minival")

Description = dict[str, object]


def looks_like(path: Path) -> bool:
    return _find(path) is not None or darknet.looks_like(path)


def splits(path: Path) -> tuple[str, ...]:
    found = _find(path)
    return darknet.splits(path) if found is None else tuple(s for s in _SPLITS if _places(found[1], s))


def read(path: Path, split: str | None) -> Dataset:
    found = _find(path)
    if found is None:
        return darknet.read(path, split)
    file, description = found
    if split is None:
        raise DataError(
            f"{str(file)!r} names no split", expected="train:, val: or test: with a folder or list"
        )
    classes = _class_names(description, file)
    root = _root(description, file)
    repairs = Repairs()
    images, folders = _images(_places(description, split), root, file, repairs)
    if not images:
        raise DataError(f"no image in split {split!r} of {str(file)!r}", got=f"{_places(description, split)}")
    labels = [_label_path(p) for p in images]
    labelled = [is_file(p) for p in labels]
    notes: tuple[str, ...] = tuple(chain.from_iterable(unread_images(f) for f in folders))
    _refuse_orphans(folders, images)
    has_truth = any(labelled)
    if not has_truth:
        notes += (
            f"no label file for split {split!r} ({relative_name(labels[0], root)}, ...): read without truth",
        )
    keypoints = point_width(description.get("kpt_shape")) if "kpt_shape" in description else 0
    samples = []
    for image, label, has_file in zip(images, labels, labelled, strict=True):
        label_file = label if has_file else None
        truth = read_truth(image, label_file, len(classes), repairs, keypoints) if has_truth else None
        samples.append(file_sample(image, relative_name(image, root), truth))
    return Dataset(
        dataset_name(root), "yolo", str(path), classes, tuple(samples), split, notes + repairs.notes()
    )


def _find(path: Path) -> tuple[Path, Description] | None:
    """The file that describes the data set at `path`, and its content; data.yaml goes before others."""
    if is_file(path):
        return (path, _describe(path)) if path.suffix.lower() in (".yaml", ".yml") else None
    found = []
    for file in (*files_in(path, ".yaml"), *files_in(path, ".yml")):
        try:
            description = _describe(file)
        except DataError:
            if file.stem == "data":  # a broken data.yaml is to be reported, any other YAML may be anything
                raise
            continue
        if {"names", "nc"} & description.keys() and set(_SPLITS) & description.keys():
            found.append((file, description))
    found = [f for f in found if f[0].stem == "data"] or found
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} files in {str(path)!r} describe a YOLO data set",
            got=", ".join(file.name for file, _ in found),
            hint=f"name one, as in yolo:{found[0][0]}",
        )
    return found[0] if found else None


def _describe(file: Path) -> Description:
    # BaseLoader makes only text, lists and dicts: a class named `no` stays "no", and nothing is constructed.
    try:
        content = yaml.load(read_text(file, MAX_YAML_BYTES), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise DataError(f"{str(file)!r} is not YAML", got=" ".join(str(error).split())) from error
    if not isinstance(content, dict):
        raise DataError(
            f"{str(file)!r} describes no data set", got=shown(content), expected="names:, train:, val:"
        )
    return {str(k): v for k, v in content.items() if v not in ("", "null", "~")}


def _class_names(description: Description, file: Path) -> tuple[str, ...]:
    names = description.get("names")
    if names is None and "nc" in description:
        return tuple(str(i) for i in range(class_number(description["nc"], f"nc in {file.name}")))
    if isinstance(names, list):
        return to_class_names(names, str(file))
    if not isinstance(names, dict) or not names:
        raise DataError(
            f"no class names in {str(file)!r}", got=shown(names), expected="names: [a, b] or {0: a, 1: b}"
        )
    by_index = {class_number(key, f"names in {file.name}"): name for key, name in names.items()}
    if sorted(by_index) != list(range(len(names))):
        raise DataError(f"class numbers in {str(file)!r} have a gap", expected=f"0 to {len(names) - 1}")
    return to_class_names((by_index[i] for i in range(len(names))), str(file))


def _root(description: Description, file: Path) -> Path:
    """The folder that the splits are named from: `path`, taken from where the file stands."""
    path = description.get("path")
    if path is None:
        return file.parent
    if not isinstance(path, str):
        raise DataError(f"path in {str(file)!r} is no folder name", got=shown(path))
    root = file.parent / path
    # Ultralytics takes `path` from its own data sets folder; a file that stands in the root still works here.
    return root if os.path.isdir(root) else file.parent


def _places(description: Description, split: str) -> list[str]:
    value = description.get(split)
    return [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, str) and v]


def _images(places: list[str], root: Path, file: Path, repairs: Repairs) -> tuple[list[Path], list[Path]]:
    """Image files of a split in order, and the folders that were taken whole."""
    found: list[Path] = []
    folders: list[Path] = []
    for place in places:
        # Roboflow writes ../train/images where it means train/images: Ultralytics corrects it, and so do we.
        place = forward(place)
        options = [*([root / place[3:]] if place.startswith("../") else []), root / place]
        here = next((p for p in options if os.path.exists(p)), None)
        if here is None:
            raise DataError(
                f"{str(file)!r} names a place that is not there",
                got=shown(place),
                expected=f"a folder or list of images, as seen from {str(root)!r}",
            )
        if os.path.isdir(here):
            folders.append(here)
            found += image_files(here)
        else:
            found += _listed(here, root)
    unique = list(dict.fromkeys(found))
    repairs.repeated += [str(p) for p, times in Counter(found).items() if times > 1]
    return unique, folders


def _listed(file: Path, root: Path) -> list[Path]:
    names = [forward(line.strip()) for line in read_text(file, MAX_LABEL_BYTES).splitlines()]
    paths = [(file.parent if n.startswith("./") else root) / n for n in names if n]
    lost = [p for p in paths if not is_image_name(p.name) or not is_file(p)]
    if lost:
        raise DataError(
            f"{len(lost)} of {len(paths)} images listed in {str(file)!r} are missing", got=shown(str(lost[0]))
        )
    return paths


def _label_path(image: Path) -> Path:
    """Where the label file of an image belongs; `Images` goes with `Labels` where that is their name."""
    parts = list(image.parts)
    for i in range(len(parts) - 2, -1, -1):
        if parts[i].lower() == "images":
            folder = Path(*parts[:i])
            labels = sub_folder(folder, "labels") if parts[i] != "images" else None
            return Path(labels or folder / "labels", *parts[i + 1 :]).with_suffix(".txt")
    return image.with_suffix(".txt")


def _refuse_orphans(folders: list[Path], images: list[Path]) -> None:
    known = {_label_path(p) for p in images}
    for folder in folders:
        labels = _label_path(folder / "x.jpg").parent
        lost = [p for p in files_in(labels, ".txt") if p not in known and p.name != "classes.txt"]
        if lost and labels != folder:
            raise DataError(
                f"{len(lost)} label files have no image", got=str(lost[0]), hint=f"images: {folder}"
            )
