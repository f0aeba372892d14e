"""COCO detection JSON: one file of images, annotations and categories, the image files beside it.

Found as DIR/annotations/instances_SPLIT.json, DIR/SPLIT/_annotations.coco.json, a .json file directly in
DIR, or a .json file named outright. Category ids become dense class indices in the order of the ids, as
every COCO-trained detector numbers them. Images without annotations are true negatives; `iscrowd` regions
are marked, not dropped.

Source: cocodataset.org/#format-data.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from paredown.data.files import (
    dataset_name,
    files_in,
    has_images,
    image_files,
    is_file,
    read_bytes,
    sub_folders,
)
from paredown.data.images import file_sample, readable_size
from paredown.data.labels import Box, Repairs, shown, to_class_names, to_labels, to_number
from paredown.errors import DataError
from paredown.sample import Dataset, Labels, Sample

MAX_JSON_BYTES = 2 << 30
_MAX_SIDE = 1 << 20  # pixels; more is no image
_COCO_KEY = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')

Record = dict[str, Any]  # one JSON object; every value is checked where it is used


def looks_like(path: Path) -> bool:
    return bool(_annotation_files(path))


def splits(path: Path) -> tuple[str, ...]:
    return tuple(name for name in _annotation_files(path) if name)


def read(path: Path, split: str | None) -> Dataset:
    files = _annotation_files(path)
    if (split or "") not in files:
        raise DataError(
            f"no COCO annotations in {str(path)!r}",
            expected="instances.json, annotations/instances_*.json or */_annotations.coco.json",
        )
    file = files[split or ""]
    content = _load(file)
    images = _index_images(_records(content, "images", file), file)
    folder = _image_folder(file, images, split)
    class_of, classes = _categories(content, file)
    repairs = Repairs()
    truths: dict[object, Labels] = {}
    if "annotations" in content:
        boxes = _boxes(_records(content, "annotations", file), images, class_of, file)
        for image_id, image in images.items():
            size = _declared_size(image, file) or readable_size(folder / image["file_name"])
            truths[image_id] = to_labels(boxes[image_id], size, repairs)
    samples = tuple(_sample(image, folder, truths.get(i), file) for i, image in images.items())
    notes = (*repairs.notes(), *_unlisted(folder, samples))
    if "annotations" not in content:
        notes = (f"{file.name} holds no annotations: the images are read without truth", *notes)
    return Dataset(dataset_name(path), "coco", str(path), classes, samples, split, notes)


def _annotation_files(path: Path) -> dict[str, Path]:
    """Annotation file of each split; the one key "" where splits are not named."""
    if is_file(path):
        return {"": path} if path.suffix.lower() == ".json" and _is_coco(path) else {}
    named = {f.stem.removeprefix("instances_"): f for f in files_in(path / "annotations", ".json")}
    named = {s: f for s, f in named.items() if f.stem != s and _is_coco(f)}
    for folder in sub_folders(path):
        if is_file(folder / "_annotations.coco.json"):
            named.setdefault(folder.name, folder / "_annotations.coco.json")
    if named:
        return named
    lone = [f for f in files_in(path, ".json") if _is_coco(f)]
    preferred = [f for f in lone if f.stem.startswith("instances") or f.stem == "_annotations.coco"]
    if len(lone) == 1 or len(preferred) == 1:
        return {"": (preferred or lone)[0]}
    return {f.stem.removeprefix("instances_"): f for f in preferred or lone}


def _is_coco(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _COCO_KEY.search(file.read(1 << 20)) is not None
    except (OSError, ValueError):
        return False


def _load(file: Path) -> Record:
    try:
        content = json.loads(read_bytes(file, MAX_JSON_BYTES), object_hook=_without_outline)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{str(file)!r} is not JSON", got=error) from error
    if not isinstance(content, dict):
        raise DataError(f"{str(file)!r} is no COCO file", got=shown(content), expected="a JSON object")
    return content


def _without_outline(record: Record) -> Record:
    """The object without its polygons: they are most of the file and nothing here reads them."""
    record.pop("segmentation", None)
    return record


def _records(content: Record, key: str, file: Path) -> list[Record]:
    records = content.get(key)
    if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
        raise DataError(
            f"no list of {key} in {str(file)!r}", got=shown(records), expected=f'"{key}": [{{...}}, ...]'
        )
    return records


def _index_images(records: list[Record], file: Path) -> dict[object, Record]:
    images: dict[object, Record] = {}
    names: set[str] = set()
    for record in records:
        key, name = record.get("id"), record.get("file_name")
        if not isinstance(key, int | str) or not isinstance(name, str) or not name.strip():
            raise DataError(
                f"an image without id or file_name in {str(file)!r}", got=f"{shown(key)}, {shown(name)}"
            )
        if key in images or name in names:
            raise DataError(
                f"an image stands twice in {str(file)!r}", got=f"id {shown(key)}, file {shown(name)}"
            )
        images[key] = record
        names.add(name)
    if not images:
        raise DataError(f"no image in {str(file)!r}", got='"images": []')
    return images


def _categories(content: Record, file: Path) -> tuple[dict[object, int], tuple[str, ...]]:
    records = _records(content, "categories", file)
    ids = [r.get("id") for r in records]
    if not all(isinstance(i, int) and not isinstance(i, bool) for i in ids) or len(set(ids)) != len(ids):
        raise DataError(f"category ids in {str(file)!r} are not distinct whole numbers")
    ordered = sorted(records, key=lambda r: int(r["id"]))
    names = to_class_names((r.get("name") for r in ordered), str(file))
    return {r["id"]: index for index, r in enumerate(ordered)}, names


def _boxes(
    records: list[Record], images: dict[object, Record], class_of: dict[object, int], file: Path
) -> dict[object, list[Box]]:
    boxes: dict[object, list[Box]] = defaultdict(list)
    lost = [r for r in records if not isinstance(r.get("image_id"), int | str) or r["image_id"] not in images]
    if lost:
        raise DataError(
            f"{len(lost)} annotations in {str(file)!r} name an image that is not listed",
            got=f"annotation {shown(lost[0].get('id'))} with image_id {shown(lost[0].get('image_id'))}",
        )
    for record in records:
        where = f"annotation {shown(record.get('id'))} in {file.name}"
        category, rectangle = record.get("category_id"), record.get("bbox")
        if not isinstance(category, int | str) or category not in class_of:
            raise DataError(
                f"an unknown category in {where}", got=shown(category), expected="an id from categories"
            )
        if not isinstance(rectangle, list) or len(rectangle) != 4:
            raise DataError(
                f"no box in {where}", got=shown(rectangle), expected="bbox: [x, y, width, height]"
            )
        x, y, w, h = (to_number(v, where) for v in rectangle)
        area = None if record.get("area") is None else to_number(record["area"], where)
        crowd = to_number(record.get("iscrowd", 0), where) != 0
        boxes[record["image_id"]].append(Box(x, y, x + w, y + h, class_of[category], where, crowd, area))
    return boxes


def _image_folder(file: Path, images: dict[object, Record], split: str | None) -> Path:
    """Where the image files are: the first usual place that holds the first image."""
    root = file.parent.parent if file.parent.name == "annotations" else file.parent
    places = [root / "images", root, file.parent, file.parent / "images"]
    if split:
        places = [root / split, root / "images" / split, *places]
    name = next(iter(images.values()))["file_name"]
    folder = next((p for p in places if is_file(p / name)), None)
    if folder is None:
        looked = ", ".join(dict.fromkeys(str(p) for p in places))
        raise DataError(f"the image {shown(name)} of {file.name} is missing", hint=f"looked in {looked}")
    lost = [r["file_name"] for r in images.values() if not is_file(folder / r["file_name"])]
    if lost:
        raise DataError(
            f"{len(lost)} of {len(images)} images of {file.name} are missing in {str(folder)!r}",
            got=f"no file {shown(lost[0])}",
            hint="remove their entries from the JSON, or bring the files",
        )
    return folder


def _declared_size(image: Record, file: Path) -> tuple[int, int] | None:
    """Height and width from the JSON, None where it does not say."""
    if image.get("height") is None or image.get("width") is None:
        return None
    where = f"the size of image {shown(image['id'])} in {file.name}"
    height, width = (int(to_number(image[key], where)) for key in ("height", "width"))
    if not (0 < height < _MAX_SIDE and 0 < width < _MAX_SIDE):
        raise DataError(f"{where} is no size", got=f"{width} x {height}")
    return height, width


def _sample(image: Record, folder: Path, truth: Labels | None, file: Path) -> Sample:
    name = image["file_name"]
    return file_sample(folder / name, name, truth, _declared_size(image, file) if truth is not None else None)


def _unlisted(folder: Path, samples: tuple[Sample, ...]) -> tuple[str, ...]:
    """A note on image files that no entry lists."""
    if not has_images(folder):
        return ()
    listed = {s.name for s in samples}
    extra = [p.name for p in image_files(folder) if p.relative_to(folder).as_posix() not in listed]
    if not extra:
        return ()
    return (f"{len(extra)} image files are listed nowhere and were left out, such as {shown(extra[0])}",)
