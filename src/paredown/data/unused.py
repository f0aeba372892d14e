"""Files that look like labels and were not read: a note for each kind, with what would make it used."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from paredown.data.fence import listing, opened
from paredown.data.files import files_in, head, is_image_name, relative_name, sub_folders
from paredown.data.pairs import IMAGE_FOLDERS, LABEL_FOLDERS
from paredown.data.split_names import split_kind
from paredown.errors import DataError
from paredown.sample import Dataset

_READ = "COCO json, YOLO txt, VOC xml or csv"
_TEXT = frozenset({".json", ".jsonl", ".ndjson", ".xml", ".txt", ".csv", ".tsv"})
_LOOKED_INTO = _TEXT - {".csv", ".tsv"}  # a table beside images has hardly any other use
_BINARY = frozenset({".tfrecord", ".tfrecords", ".record", ".parquet", ".mat", ".pkl", ".npy", ".npz"})
_NO_LABELS = re.compile(
    r"(readme|license|licence|notice|changelog|requirements|copying|card)\b", re.IGNORECASE
)
_WORDS = re.compile(
    rb"bbox|box|annotation|label|shapes|categor|region|object|coordinates|points|class|xmin|x_min",
    re.IGNORECASE,
)
_NUMBERS = re.compile(rb"(?m)^\s*\S+([ \t,;]+-?[\d.]+){2,}\s*$")
_LOOKED_AT = 500  # files opened to see what they hold; beyond these the name decides


def unused_labels(path: Path, dataset: Dataset) -> tuple[str, ...]:
    """A note for every kind of file at `path`, and beside it, that could hold labels and was not read."""
    if not path.is_dir():
        return ()
    used = {p.resolve() for p in opened()}
    stems = {p.stem for p in listing(path) if is_image_name(p.name)}
    found = [p for p in listing(path) if _could_be(p) and p.resolve() not in used]
    found = [p for p in found if not _of_another_split(p.relative_to(path), dataset.split)]
    looked = 0
    by_suffix: dict[str, list[Path]] = defaultdict(list)
    for p in sorted(found):
        if p.stem not in stems and p.suffix.lower() in _LOOKED_INTO and looked < _LOOKED_AT:
            looked += 1
            if not _holds_labels(p):
                continue
        by_suffix[p.suffix.lower()].append(p)
    notes = [_note(suffix, files, path, dataset) for suffix, files in sorted(by_suffix.items())]
    return (*notes, *_beside(path, dataset, stems))


def _could_be(path: Path) -> bool:
    suffix = path.suffix.lower()
    return suffix in _TEXT | _BINARY and _NO_LABELS.match(path.name) is None


def _holds_labels(path: Path) -> bool:
    """Whether what stands at the beginning of a text file could be labels."""
    try:
        start = head(path)
    except DataError:  # a link that leads outside: not followed, so nothing is known
        return True
    return bool(_NUMBERS.search(start) if path.suffix.lower() == ".txt" else _WORDS.search(start))


def _of_another_split(path: Path, split: str | None) -> bool:
    """Whether a file belongs to a split that was not asked for."""
    if split is None:
        return False
    kinds = {split_kind(word) for part in path.with_suffix("").parts for word in re.split(r"[_.\s-]", part)}
    kinds -= {None}
    return bool(kinds) and split_kind(split) not in kinds


def _note(suffix: str, files: list[Path], path: Path, dataset: Dataset) -> str:
    number = f"{len(files)} {suffix} files look" if len(files) > 1 else f"a {suffix} file looks"
    name = repr(relative_name(files[0], path))
    if dataset.has_truth:
        why = f"the data set was read as {dataset.format}"
        cure = "say the format outright to read it otherwise, as in coco:PATH"
    else:
        why = f"in no form that is known ({_READ})"
        cure = "without labels models can only be compared with the float model; export them in one of these"
    return f"{number} like labels and were not read, such as {name}: {why}; {cure}"


def _beside(path: Path, dataset: Dataset, stems: set[str]) -> tuple[str, ...]:
    """A note on labels that stand beside the folder of images that was named."""
    if dataset.has_truth or not (path.name.lower() in IMAGE_FOLDERS or split_kind(path.name)):
        return ()
    parent = path.absolute().parent
    if parent.name.lower() in IMAGE_FOLDERS:
        parent = parent.parent
    for folder in sub_folders(parent):
        if folder.name.lower() in LABEL_FOLDERS and any(
            p.stem in stems or p.suffix == ".json" for p in _some(folder)
        ):
            return (
                f"labels stand in {folder.name}/ and were not read: name the folder above, {parent.name}/",
            )
    lists = [p for p in files_in(parent, ".json") if _holds_labels(p)]
    lists += [p for p in files_in(parent, ".yaml") if p.stem == "data"]
    if lists:
        return (f"{lists[0].name} was not read: it stands in the folder above, {parent.name}/; name that",)
    return ()


def _some(folder: Path) -> list[Path]:
    here = [
        p for p in (folder, *sub_folders(folder)) for e in (".txt", ".xml", ".json") for p in files_in(p, e)
    ]
    return here
