"""COCO detection JSON: one file of images, annotations and categories, the image files beside it.

Found as DIR/annotations/instances_SPLIT.json, DIR/SPLIT/_annotations.coco.json, a .json file directly in
DIR, or a .json file named outright. Category ids become dense class indices in the order of the ids, as
every COCO-trained detector numbers them. Images without annotations are true negatives; `iscrowd` regions
are marked, not dropped.

Source: cocodataset.org/#format-data.
"""

from __future__ import annotations

import re
from pathlib import Path

from paredown.data import coco_content
from paredown.data.files import (
    dataset_name,
    files_in,
    has_images,
    head,
    image_files,
    is_file,
    sub_folder,
    sub_folders,
)
from paredown.data.images import file_sample, readable_size
from paredown.data.labels import Repairs, shown, to_labels
from paredown.data.locate import locate
from paredown.data.split_names import split_kind
from paredown.errors import DataError
from paredown.sample import Dataset, Sample

_COCO_KEY = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')


def looks_like(path: Path) -> bool:
    return bool(_annotation_files(path))


def splits(path: Path) -> tuple[str, ...]:
    return tuple(name for name in _annotation_files(path) if name)


def read(path: Path, split: str | None) -> Dataset:
    files = _annotation_files(path)
    if (split or "") not in files:
        raise DataError(
            f"no COCO annotations in {str(path)!r}",
            expected="instances.json, annotations/*.json or */_annotations.coco.json",
        )
    file = files[split or ""]
    content = coco_content.load(file)
    folder, names = locate(file, [i.file_name for i in content.images.values()], split)
    repairs = Repairs()
    samples = []
    for key, image in content.images.items():
        place = folder / names[image.file_name]
        size = image.size
        truth = None
        if content.annotated:
            truth = to_labels(content.boxes(key), size or readable_size(place), repairs)
        samples.append(file_sample(place, names[image.file_name], truth, size if truth is not None else None))
    notes = (*content.notes(), *repairs.notes(), *_unlisted(folder, tuple(samples)))
    return Dataset(dataset_name(path), "coco", str(path), content.classes, tuple(samples), split, notes)


def _annotation_files(path: Path) -> dict[str, Path]:
    """Annotation file of each split; the one key "" where splits are not named."""
    if is_file(path):
        return {"": path} if path.suffix.lower() == ".json" and _is_coco(path) else {}
    folder = sub_folder(path, "annotations")
    found = [f for f in files_in(folder, ".json") if _is_coco(f)] if folder is not None else []
    instances = [f for f in found if f.stem.startswith("instances_")]
    named = {f.stem.removeprefix("instances_"): f for f in instances or found if not _other_task(f)}
    if len(named) == 1 and not split_kind(next(iter(named))) and not instances:
        named = {"": next(iter(named.values()))}
    for folder in sub_folders(path):
        own = _lone([f for f in files_in(folder, ".json") if _is_coco(f)]) if has_images(folder) else None
        if own is not None and (own.stem == "_annotations.coco" or split_kind(folder.name)):
            named.setdefault(folder.name, own)
    if named:
        return named
    lone = [f for f in files_in(path, ".json") if _is_coco(f)]
    one = _lone(lone)
    return {"": one} if one is not None else {f.stem.removeprefix("instances_"): f for f in lone}


def _lone(files: list[Path]) -> Path | None:
    """The one file of annotations where others stand beside it; None where it is not clear which."""
    preferred = [f for f in files if f.stem.startswith("instances") or f.stem == "_annotations.coco"]
    return files[0] if len(files) == 1 else preferred[0] if len(preferred) == 1 else None


def _other_task(file: Path) -> bool:
    """Whether a file of COCO's is about something else than boxes of all classes."""
    return file.stem.startswith(("captions", "person_keypoints", "panoptic", "stuff", "image_info"))


def _is_coco(path: Path) -> bool:
    return _COCO_KEY.search(head(path, 1 << 20)) is not None


def _unlisted(folder: Path, samples: tuple[Sample, ...]) -> tuple[str, ...]:
    """A note on image files that no entry lists."""
    if not has_images(folder):
        return ()
    listed = {s.name for s in samples}
    extra = [p.name for p in image_files(folder) if p.relative_to(folder).as_posix() not in listed]
    if not extra:
        return ()
    return (f"{len(extra)} image files are listed nowhere and were left out, such as {shown(extra[0])}",)
