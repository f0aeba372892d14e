"""`read_dataset`: from what the user typed to a Dataset. The table of formats is here."""

from __future__ import annotations

import importlib
import os
import re
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Protocol, cast

from paredown.data.fence import reading
from paredown.data.split_names import choose_split, split_kind
from paredown.data.unused import unused_labels
from paredown.errors import DataError, UnknownName, UsageError
from paredown.sample import Dataset

_MOST_LOOKED_AT = 1000  # names in a folder that is no data set


class Reader(Protocol):
    """What a format's module offers. `path` exists; `split` is one of `splits(path)`, or None without."""

    def looks_like(self, path: Path) -> bool: ...

    def splits(self, path: Path) -> tuple[str, ...]: ...

    def read(self, path: Path, split: str | None) -> Dataset: ...


@dataclass(frozen=True)
class Format:
    """One line of `paredown list formats`. The module is imported when a data set is read."""

    module: str
    summary: str
    annotated: bool = True  # recognised by an annotation file, which outweighs how folders are laid out

    def reader(self) -> Reader:
        return cast(Reader, importlib.import_module(f"paredown.data.{self.module}"))


FORMATS: dict[str, Format] = {
    "coco": Format("coco", "COCO detection JSON beside images/, in annotations/, or _annotations.coco.json"),
    "yolo": Format("yolo", "YOLO: data.yaml, or a .txt beside each image, in labels/, or listed by obj.data"),
    "voc": Format("voc", "Pascal VOC: .xml in Annotations/ (any case) or beside each image; ImageSets/Main/"),
    "csv": Format("table", "CSV with a header: file and label (class index or name)"),
    "zip": Format("zipped", "zip of CLASS/name.jpg, read in place"),
    "masks": Format(
        "masks", "an index PNG for each image in semantic_masks/, SegmentationClass/ ...", annotated=False
    ),
    "folders": Format("folders", "one folder of images per class (ImageFolder)", annotated=False),
    "plain": Format("plain", "images without truth", annotated=False),
}
_PREFIX = re.compile(r"([a-z][a-z_-]+):(.*)", re.IGNORECASE | re.DOTALL)  # two letters at least: not a drive


def read_dataset(spec: str, *, split: str | None = None, allow_outside: bool = False) -> Dataset:
    """The Dataset at a path, its format found by looking; or `coco:DIR`, `yolo:FILE`, ... said outright.

    split: a name, or "train", "val", "test" for what the data set calls so; by default the one to judge on
    (val, else test). A data set without splits takes none.

    allow_outside: let the data set name files outside its own folder, by links, lists or paths.

    Raises: UsageError where the format is not certain, DataError for what cannot be read.
    """
    prefix, path = _parse(spec)
    with reading(path, allow_outside):
        name = prefix or _recognise(path)
        reader = FORMATS[name].reader()
        names = reader.splits(path)
        if split is not None and not names:
            raise UsageError(f"the data set {spec!r} has no splits to choose from", got=f"split {split!r}")
        read = reader.read(path, choose_split(names, split))
        read = replace(read, notes=(*read.notes, *unused_labels(path, read)))
    if split is None and read.split is not None and split_kind(read.split) == "train":
        note = f"only the split {read.split!r} is named: a model trained on it looks better than it is"
        return replace(read, notes=(*read.notes, note))
    return read


def training_split(dataset: Dataset, *, allow_outside: bool = False) -> Dataset | None:
    """The training images that go with `dataset`; None where there are none or they are the same."""
    if dataset.format not in FORMATS or dataset.split is None or split_kind(dataset.split) == "train":
        return None
    reader = FORMATS[dataset.format].reader()
    path = Path(dataset.root)
    name = None
    try:
        with reading(path, allow_outside):
            name = next((s for s in reader.splits(path) if split_kind(s) == "train"), None)
            if name is None:
                return None
            training = reader.read(path, name)
    except DataError as error:  # the annotations are often kept where only the images of one split are
        raise DataError(
            f"the training split {name or ''!r} of {dataset.name} cannot be read",
            got=error.what,
            hint="name the images to calibrate on (--calib), or bring those of the training split",
        ) from error
    judged = {s.name: s for s in dataset}
    # coco128.yaml and its kind name one folder for both.
    same = any(s.name in judged and s.digest() == judged[s.name].digest() for s in training)
    return None if same else training


def _parse(spec: str) -> tuple[str | None, Path]:
    """Name of the format where it is said outright, and the path."""
    prefixed = _PREFIX.fullmatch(spec)
    if prefixed is not None and not _exists(spec):
        name, rest = prefixed.group(1).lower(), prefixed.group(2)
        if name not in FORMATS:
            raise UnknownName("format", name, FORMATS)
        return name, _existing(rest)
    return None, _existing(spec)


def _existing(text: str) -> Path:
    if not text or not _exists(text):
        close = _nearest_folder(Path(text)) if text else "."
        raise DataError(
            f"no data set at {text!r}", got="nothing there", hint=f"the path exists up to {close!r}"
        )
    return Path(text)


def _exists(text: str) -> bool:
    return os.path.exists(text)


def _nearest_folder(path: Path) -> str:
    return next((str(p) for p in path.parents if _exists(str(p))), str(Path.cwd()))


def _recognise(path: Path) -> str:
    """The format that `path` is in. An annotation file decides; without one, how the folders are laid out."""
    found = [name for name, f in FORMATS.items() if f.annotated and f.reader().looks_like(path)]
    if len(found) > 1:
        raise UsageError(
            f"{str(path)!r} can be read in {len(found)} formats",
            got=", ".join(found),
            expected="one of them said outright",
            hint=" or ".join(f"{name}:{path}" for name in found),
        )
    if not found:
        found = [name for name, f in FORMATS.items() if not f.annotated and f.reader().looks_like(path)]
    if not found:
        raise DataError(
            f"no data set in {str(path)!r}",
            got=_held(path),
            expected="images, or a data set in one of the formats " + ", ".join(FORMATS),
            hint="docs/data.md shows how each format is laid out; `paredown list formats` names them",
        )
    return found[0]


def _held(path: Path) -> str:
    """What stands at a path that is no data set, in words."""
    if not path.is_dir():
        return f"a {path.suffix} file" if path.suffix else "a file"
    try:
        names = sorted(file.name for file in islice(path.iterdir(), _MOST_LOOKED_AT))
    except OSError as error:
        return error.strerror or str(error)
    return ", ".join([*names[:3], *["..."] * (len(names) > 3)]) or "an empty folder"
