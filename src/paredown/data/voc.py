"""Pascal VOC: one XML per image in Annotations/, images in JPEGImages/, split lists in ImageSets/Main/.

The same files as others leave them are read too: x.xml beside x.jpg (labelImg), images/ and annotations/ in
any case, train/ and valid/ folders (Roboflow).

Pixels are counted from 1 and both corners are inside, so xmin becomes xmin - 1 and xmax stays. Objects
marked `difficult` are ignored in scoring, as the VOC devkit does: they become `crowd`. Classes are the
names found, sorted (for VOC itself that is its own order).

Source: Everingham et al. 2010, VOC2012 devkit, section 2.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from paredown.data.files import (
    dataset_name,
    files_below,
    files_in,
    head,
    is_file,
    read_bytes,
    read_text,
    relative_name,
    sub_folder,
)
from paredown.data.images import file_sample, readable_size
from paredown.data.labels import Box, Repairs, shown, to_class_names, to_labels, to_number
from paredown.data.pairs import (
    IMAGE_FOLDERS,
    LABEL_FOLDERS,
    folder_splits,
    images_of,
    key_of,
    pair,
    split_of,
)
from paredown.errors import DataError
from paredown.sample import Dataset, Sample

MAX_XML_BYTES = 4 << 20
_MAX_DEPTH = 32
_LOOKED_AT = 5  # files that are opened to tell whether the others are annotations
_ANNOTATION = re.compile(rb"<annotation[\s>]")


def looks_like(path: Path) -> bool:
    return bool(_annotations(path))


def splits(path: Path) -> tuple[str, ...]:
    # cat_train.txt and the like list one class each; they are no splits.
    lists = tuple(f.stem for f in files_in(path / "ImageSets" / "Main", ".txt") if "_" not in f.stem)
    return lists or folder_splits(images_of(path), path)


def read(path: Path, split: str | None) -> Dataset:
    images = images_of(path)
    if not images:
        raise DataError(f"no image in {str(path)!r}", expected="Annotations/*.xml and JPEGImages/*.jpg")
    annotations, repairs = _annotations(path), Repairs()
    if not annotations:
        raise DataError(f"no annotation in {str(path)!r}", expected="an .xml for each image")
    list_file = path / "ImageSets" / "Main" / f"{split}.txt"
    listed = split is not None and is_file(list_file)
    if split is not None and not listed:
        images = [p for p in images if split_of(p, path) == split]
        annotations = [p for p in annotations if split_of(p, path) in (None, split)]
    paired = pair(images, annotations, path)
    if listed:
        paired = _listed(list_file, images, paired, path, repairs)
    notes = () if listed else _unpaired(path, images, annotations, paired)
    if not paired:
        raise DataError(f"no image in split {split!r} of {str(path)!r}")
    trees = {image: parse_xml(read_bytes(file, MAX_XML_BYTES), str(file)) for image, file in paired.items()}
    classes = tuple(sorted({name for tree in trees.values() for name in _names(tree)}))
    index = {name: i for i, name in enumerate(classes)}
    root = _image_root(images, path)
    samples = tuple(_sample(image, root, tree, index, repairs) for image, tree in trees.items())
    return Dataset(dataset_name(path), "voc", str(path), classes, samples, split, notes + repairs.notes())


def _annotations(path: Path) -> list[Path]:
    """The annotation files: those in Annotations/ (any case), else every .xml below that looks like one."""
    folder = sub_folder(path, *LABEL_FOLDERS)
    below = [] if folder is None else files_below(folder, ".xml")
    found = below or files_below(path, ".xml")
    shown = found[:: max(1, len(found) // _LOOKED_AT)]
    return found if any(_ANNOTATION.search(head(p)) for p in shown) else []


def _image_root(images: list[Path], path: Path) -> Path:
    """The folder that images are named from: the folder of images where there is one, else the data set's."""
    return next((p for p in images[0].parents if p.parent == path and p.name.lower() in IMAGE_FOLDERS), path)


def _unpaired(
    path: Path, images: list[Path], annotations: list[Path], paired: dict[Path, Path]
) -> tuple[str, ...]:
    """A note on images that nobody annotated: without a list they are not known to be empty.

    Raises: DataError for annotations without image.
    """
    lost = sorted(set(annotations) - set(paired.values()))
    if lost:
        raise DataError(
            f"{len(lost)} annotations have no image in {str(path)!r}",
            got=f"no image for {shown(relative_name(lost[0], path))}",
            hint="remove them, or bring the images",
        )
    extra = sorted(set(images) - paired.keys())
    if not extra:
        return ()
    name = relative_name(extra[0], path)
    return (f"{len(extra)} images without annotation were left out, such as {shown(name)}",)


def _listed(
    file: Path, images: list[Path], paired: dict[Path, Path], root: Path, repairs: Repairs
) -> dict[Path, Path]:
    """Those of `paired` that a list names. Raises: DataError where one has no image or annotation."""
    rows = [line.split() for line in read_text(file, MAX_XML_BYTES).splitlines()]
    stems = [row[0] for row in rows if row]
    unique = list(dict.fromkeys(stems))
    if len(unique) < len(stems):
        repairs.repeated.append(f"in {relative_name(file, root)}")
    known = {key_of(image, root): image for image in images}
    lost = [stem for stem in unique if stem not in known]
    if lost:
        raise DataError(
            f"{len(lost)} annotations have no image in {str(root)!r}", got=f"no image for {shown(lost[0])}"
        )
    bare = next((s for s in unique if known[s] not in paired), None)
    if bare is not None:
        raise DataError(f"the annotation of {shown(bare)} is missing", got=f"listed in {file.name}")
    return {known[stem]: paired[known[stem]] for stem in unique}


def parse_xml(data: bytes, where: str) -> Element:
    """The root element. A document type is refused: it is what entity bombs and file inclusion are made of.

    Raises: DataError naming `where`.
    """
    builder, parser, depth = TreeBuilder(), expat.ParserCreate(), 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise DataError(f"{where!r} is nested too deeply", expected=f"at most {_MAX_DEPTH} levels")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def doctype(*_: object) -> None:
        raise DataError(f"{where!r} declares a document type", expected="plain XML without <!DOCTYPE>")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, doctype
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        raise DataError(f"{where!r} is not XML", got=error) from error
    root: Element = builder.close()
    root.set("where", where)
    return root


def _names(tree: Element) -> tuple[str, ...]:
    where = tree.get("where", "")
    return to_class_names((o.findtext("name") for o in tree.findall("object")), where)


def _sample(image: Path, root: Path, tree: Element, index: dict[str, int], repairs: Repairs) -> Sample:
    size = _declared_size(tree) or readable_size(image)
    boxes = [
        _box(element, index[name], f"object {i} in {image.stem}.xml")
        for i, (element, name) in enumerate(zip(tree.findall("object"), _names(tree), strict=True), 1)
    ]
    return file_sample(image, relative_name(image, root), to_labels(boxes, size, repairs), size)


def _declared_size(tree: Element) -> tuple[int, int] | None:
    """Height and width from the XML; None where it says nothing or 0, as some tools write."""
    texts = tree.findtext("size/height"), tree.findtext("size/width")
    if None in texts:
        return None
    height, width = (int(to_number(t, f"the size in {tree.get('where')}")) for t in texts)
    return (height, width) if height > 0 and width > 0 else None


def _box(element: Element, index: int, where: str) -> Box:
    x1, y1, x2, y2 = (
        to_number(element.findtext(f"bndbox/{key}"), where) for key in ("xmin", "ymin", "xmax", "ymax")
    )
    if x2 < x1 or y2 < y1:
        raise DataError(f"a box of negative size: {where}", got=f"{x1, y1, x2, y2}", expected="xmin <= xmax")
    difficult = (element.findtext("difficult") or "0").strip() not in ("0", "")
    return Box(x1 - 1, y1 - 1, x2, y2, index, where, crowd=difficult)
