"""Which label file belongs to which image: the same path but for the folders that only sort files by kind.

`images/train/a.jpg`, `train/images/a.jpg` and `train/a.jpg` all go with `labels/train/a.txt`,
`train/labels/a.txt` or `annotations/train/a.xml`. What is left over goes by its bare name, where that is
unique.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from paredown.data.files import image_files, sub_folder
from paredown.data.split_names import split_kind

IMAGE_FOLDERS = ("images", "jpegimages", "imgs", "img", "image")
LABEL_FOLDERS = ("annotations", "labels", "annots", "annotation", "label", "xmls", "xml")
_KINDS = frozenset({*IMAGE_FOLDERS, *LABEL_FOLDERS})
# Pictures that are labels themselves and carry the images' names.
_MASKS = frozenset({"masks", "mask", "segmentationclass", "segmentationobject", "semantic_masks", "trimaps"})


def images_of(root: Path) -> list[Path]:
    """The images of a data set: those in its folder of images where it has one, else all but masks."""
    folder = sub_folder(root, *IMAGE_FOLDERS)
    found = image_files(folder) if folder is not None else []
    return found or [
        p for p in image_files(root) if not {f.lower() for f in p.relative_to(root).parts[:-1]} & _MASKS
    ]


def key_of(path: Path, root: Path) -> str:
    """What an image and its label file have in common."""
    relative = path.relative_to(root)
    return "/".join(f for f in (*relative.parts[:-1], path.stem) if f.lower() not in _KINDS) or path.stem


def pair(images: Iterable[Path], labels: Iterable[Path], root: Path) -> dict[Path, Path]:
    """The label file of each image that has one."""
    by_key = {key_of(p, root): p for p in labels}
    paired = {p: by_key[key] for p in images if (key := key_of(p, root)) in by_key}
    taken = set(paired.values())
    left = [p for p in images if p not in paired]
    loose = [p for p in by_key.values() if p not in taken]
    often = Counter(p.stem for p in left)
    named = Counter(p.stem for p in loose)
    by_name = {p.stem: p for p in loose if named[p.stem] == 1}
    return paired | {p: by_name[p.stem] for p in left if often[p.stem] == 1 and p.stem in by_name}


def split_of(image: Path, root: Path) -> str | None:
    """The folder named after a split that an image stands in (images/val/a.jpg); None without."""
    return next((f for f in image.relative_to(root).parts[:-1] if split_kind(f)), None)


def folder_splits(images: Iterable[Path], root: Path) -> tuple[str, ...]:
    """The splits that folders name, where every image stands in one."""
    found = [split_of(p, root) for p in images]
    return tuple(sorted({s for s in found if s is not None})) if None not in found else ()
