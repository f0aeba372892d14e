"""YOLO labels without a data.yaml, as labelImg, CVAT, Label Studio, Roboflow and darknet leave them.

    a.jpg a.txt classes.txt     all in one folder, in images/ and labels/, or in train/ and valid/
    obj.data obj.names train.txt obj_train_data/    lists of images, named by obj.data or by their own name

Classes are named by classes.txt, obj.names or the like, a line each. Without such a file they are numbered,
and a note says so. An image without a label file holds no object, as darknet trains; how many is noted.
"""

from __future__ import annotations

from pathlib import Path

from paredown.data.files import (
    dataset_name,
    files_below,
    files_in,
    is_file,
    is_image_name,
    read_text,
    relative_name,
    unread_images,
)
from paredown.data.images import file_sample
from paredown.data.labels import Repairs, shown, to_class_names
from paredown.data.pairs import LABEL_FOLDERS, folder_splits, images_of, pair, split_of
from paredown.data.split_names import split_kind
from paredown.data.yolo_rows import MAX_LABEL_BYTES, forward, looks_like_rows, read_truth
from paredown.errors import DataError
from paredown.sample import Dataset, Labels

_NAMES = ("classes.txt", "obj.names", "_darknet.labels", "predefined_classes.txt", "class_names.txt")
_NAME_ENDINGS = (".names", ".labels")
_LOOKED_AT = 20  # label files opened to tell whether the others are rows of boxes
_MAX_NUMBERED = 10_000  # classes that nothing names

Pairs = dict[Path, Path]  # label file of each image


def looks_like(path: Path) -> bool:
    if is_file(path):
        return path.suffix.lower() == ".data" and bool(_description(path))
    labels = list(_pairs(path).values())
    some = labels[:: max(1, len(labels) // _LOOKED_AT)]
    return any(looks_like_rows(p) for p in some) or (bool(labels) and _class_file(path) is not None)


def splits(path: Path) -> tuple[str, ...]:
    return tuple(_lists(path)) or folder_splits(images_of(_folder(path)), _folder(path))


def read(path: Path, split: str | None) -> Dataset:
    root, lists = _folder(path), _lists(path)
    pairs = _pairs(root)
    if not pairs:
        raise DataError(
            f"no YOLO labels in {str(path)!r}",
            expected="a data.yaml with names:, train: and val:; or a .txt beside each image",
        )
    images = images_of(root)
    if split in lists:
        images = _listed(lists[split], root, images)
    elif split is not None:
        images = [p for p in images if split_of(p, root) == split]
    if not images:
        raise DataError(f"no image in split {split!r} of {str(path)!r}")
    repairs = Repairs()
    file = _class_file(path)
    limit = _MAX_NUMBERED if file is None else len(_read_names(file))
    truths = {p: read_truth(p, pairs.get(p), limit, repairs) for p in images}
    classes = _numbered(truths.values()) if file is None else _read_names(file)
    notes = (*unread_images(root), *_bare(images, pairs, root), *([] if file else [_unnamed(root)]))
    samples = tuple(file_sample(p, relative_name(p, root), truth) for p, truth in truths.items())
    return Dataset(dataset_name(path), "yolo", str(path), classes, samples, split, notes + repairs.notes())


def _folder(path: Path) -> Path:
    return path.parent if is_file(path) else path


def _pairs(path: Path) -> Pairs:
    """The label file of each image that has one."""
    root = _folder(path)
    return pair(images_of(root), [p for p in files_below(root, ".txt") if p.name not in _NAMES], root)


def _description(path: Path) -> dict[str, str]:
    """Keys and values of an obj.data file."""
    rows = [line.partition("=") for line in read_text(path, MAX_LABEL_BYTES).splitlines()]
    return {key.strip(): forward(value.strip()) for key, equals, value in rows if equals and value.strip()}


def _described(path: Path) -> dict[str, str]:
    """The description at `path` or in it; nothing where there is none, or several."""
    files = [path] if is_file(path) else [*files_in(path, ".data"), *files_in(path / "data", ".data")]
    return _description(files[0]) if len(files) == 1 else {}


def _place(name: str, root: Path) -> Path | None:
    """The file that a description or list means: darknet names it from where darknet is started."""
    steps = Path(name).parts
    tried = [root / name, *(root.joinpath(*steps[i:]) for i in range(1, len(steps)))]
    return next((p for p in tried if is_file(p)), None)


def _lists(path: Path) -> dict[str, Path]:
    """The list of images of each split."""
    root = _folder(path)
    named = {key: _place(name, root) for key, name in _described(path).items() if split_kind(key)}
    found = {key: p for key, p in named.items() if p is not None}
    if found:
        return found
    lists = [p for p in files_in(root, ".txt") if split_kind(p.stem) and _lists_images(p)]
    return {p.stem: p for p in lists}


def _lists_images(file: Path) -> bool:
    rows = read_text(file, MAX_LABEL_BYTES).split("\n", 1)
    return is_image_name(rows[0].strip())


def _listed(file: Path, root: Path, images: list[Path]) -> list[Path]:
    """The images that a list names, each once. Raises: DataError where one is missing."""
    names = [forward(line.strip()) for line in read_text(file, MAX_LABEL_BYTES).splitlines()]
    known = set(images)
    found = {name: _place(name, root) for name in names if name}
    lost = [name for name, p in found.items() if p is None or (p not in known and not is_image_name(p.name))]
    if lost:
        raise DataError(
            f"{len(lost)} of {len(found)} images listed in {file.name} are missing", got=shown(lost[0])
        )
    return list(dict.fromkeys(p for p in found.values() if p is not None))


def _class_file(path: Path) -> Path | None:
    """The file of class names. Raises: DataError where two say different things."""
    root = _folder(path)
    named = _described(path).get("names")
    if named is not None and (place := _place(named, root)) is not None:
        return place
    folders = [root, *(p for p in sorted({f.parent for f in _pairs(root).values()}) if p != root)]
    folders += [root / name for name in LABEL_FOLDERS]
    found = [
        p
        for folder in folders
        for p in (*files_in(folder, ".txt"), *(q for e in _NAME_ENDINGS for q in files_in(folder, e)))
        if p.name.lower() in _NAMES or p.suffix.lower() in _NAME_ENDINGS
    ]
    if len({_read_names(p) for p in found}) > 1:
        raise DataError(
            f"several files in {str(root)!r} name the classes, and differ",
            got=", ".join(relative_name(p, root) for p in found[:3]),
            hint="keep the one that is right",
        )
    return found[0] if found else None


def _read_names(file: Path) -> tuple[str, ...]:
    return to_class_names(
        (row for row in read_text(file, MAX_LABEL_BYTES).splitlines() if row.strip()), str(file)
    )


def _numbered(truths: object) -> tuple[str, ...]:
    used = [int(t.classes.max(initial=-1)) for t in truths if isinstance(t, Labels)]  # type: ignore[attr-defined]
    return tuple(str(i) for i in range(max(used) + 1))


def _unnamed(root: Path) -> str:
    above = next(iter(files_in(root.parent, ".yaml")), None)
    better = f" (or name {above.name} in the folder above, which may do)" if above else ""
    return (
        "nothing names the classes of the labels: their numbers are taken as the model's own; a classes.txt "
        f"with a name a line beside the images says otherwise{better}"
    )


def _bare(images: list[Path], pairs: Pairs, root: Path) -> tuple[str, ...]:
    bare = [p for p in images if p not in pairs]
    if not bare:
        return ()
    name = shown(relative_name(bare[0], root))
    return (f"{len(bare)} images have no label file and count as images without objects, such as {name}",)
