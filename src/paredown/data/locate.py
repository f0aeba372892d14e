"""Where the image files are that an annotation file names."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from paredown.data.fence import enter
from paredown.data.files import is_file
from paredown.data.labels import shown
from paredown.data.yolo_rows import forward
from paredown.errors import DataError

_ABOVE = ("annotations", "annotation", "labels")  # folders of annotations, the images stand beside them
_SUFFIXES = (".jpg", ".png", ".jpeg", ".JPG", ".tif")
_BELOW = ("images", "data", "JPEGImages", "imgs", "img", "train", "test")


def locate(file: Path, names: Sequence[str], split: str | None = None) -> tuple[Path, dict[str, str]]:
    """The folder of the images that `file` names, and the path below it of each name.

    The folder is the first usual one that holds the first image; then by the name with forward slashes, then
    by its last part alone, as files keep the paths of the machine that they were made on.

    Raises: DataError where an image is missing, or leads outside the data set.
    """
    root = file.parent.parent if file.parent.name.lower() in _ABOVE else file.parent
    places = [root, file.parent, *(root / name for name in _BELOW)]
    if split:
        places = [root / split, root / "images" / split, *places]
    places = [p for p in dict.fromkeys(places) if os.path.isdir(p)]
    spellings: list[Callable[[str], str]] = [str, forward, _last_part]
    spellings += [partial(_with_suffix, suffix) for suffix in _SUFFIXES]
    for spell in spellings:
        folder = next((p for p in places if is_file(p / spell(names[0]))), None)
        if folder is not None:
            enter(folder / spell(names[0]), noted=False)
            break
    else:
        lost = [n for n in names if not any(is_file(p / n) for p in places)]
        looked = ", ".join(f"{p.name}/" for p in places[:8])
        raise DataError(
            f"{len(lost)} of {len(names)} images of {file.name} are missing",
            got=f"no file {shown(names[0])}",
            hint=f"looked in {looked}",
        )
    found = {name: spell(name) for name in names}
    lost = [name for name, written in found.items() if not is_file(folder / written)]
    if lost:
        raise DataError(
            f"{len(lost)} of {len(names)} images of {file.name} are missing in {str(folder)!r}",
            got=f"no file {shown(lost[0])}",
            hint="remove their entries from the file, or bring the images",
        )
    if len(set(found.values())) < len(found):
        raise DataError(
            f"{file.name} names two images of one file name in different folders", got=shown(names[0])
        )
    for written in found.values():
        enter(folder / written, noted=False)
    return folder, found


def _with_suffix(suffix: str, name: str) -> str:
    """Tables of Kaggle's name images without their suffix."""
    return forward(name) + suffix


def _last_part(name: str) -> str:
    return PurePosixPath(forward(name)).name
