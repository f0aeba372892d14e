"""Pascal VOC: one XML per image in Annotations/, images in JPEGImages/, split lists in ImageSets/Main/.

Pixels are counted from 1 and both corners are inside, so xmin becomes xmin - 1 and xmax stays. Objects
marked `difficult` are ignored in scoring, as the VOC devkit does: they become `crowd`. Classes are the
names found, sorted (for VOC itself that is its own order).

Source: Everingham et al. 2010, VOC2012 devkit, section 2.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from paredown.data.files import (
    dataset_name,
    files_in,
    image_files,
    is_file,
    read_bytes,
    read_text,
    relative_name,
)
from paredown.data.images import file_sample, readable_size
from paredown.data.labels import Box, Repairs, shown, to_class_names, to_labels, to_number
from paredown.errors import DataError
from paredown.sample import Dataset, Sample

MAX_XML_BYTES = 4 << 20
_MAX_DEPTH = 32


def looks_like(path: Path) -> bool:
    return bool(files_in(path / "Annotations", ".xml"))


def splits(path: Path) -> tuple[str, ...]:
    # cat_train.txt and the like list one class each; they are no splits.
    return tuple(f.stem for f in files_in(path / "ImageSets" / "Main", ".txt") if "_" not in f.stem)


def read(path: Path, split: str | None) -> Dataset:
    folder = path / "JPEGImages"
    images = {relative_name(p.with_suffix(""), folder): p for p in image_files(folder)}
    if not images:
        raise DataError(f"no image in {str(folder)!r}", expected="Annotations/*.xml and JPEGImages/*.jpg")
    repairs = Repairs()
    notes: tuple[str, ...] = ()
    if split is None:
        annotated = [f.stem for f in files_in(path / "Annotations", ".xml")]
        # Without a list, images that nobody annotated are not known to be empty.
        extra = sorted(images.keys() - set(annotated))
        notes = (
            (f"{len(extra)} images without annotation were left out, such as {extra[0]!r}",) if extra else ()
        )
    else:
        annotated = _listed(path / "ImageSets" / "Main" / f"{split}.txt", repairs)
    lost = [stem for stem in annotated if stem not in images]
    if lost:
        raise DataError(
            f"{len(lost)} annotations have no image in {str(folder)!r}", got=f"no image for {shown(lost[0])}"
        )
    if not annotated:
        raise DataError(f"no image in split {split!r} of {str(path)!r}")
    trees = {stem: _annotation(path / "Annotations" / f"{stem}.xml") for stem in annotated}
    classes = tuple(sorted({name for tree in trees.values() for name in _names(tree)}))
    index = {name: i for i, name in enumerate(classes)}
    samples = tuple(_sample(images[s], folder, s, tree, index, repairs) for s, tree in trees.items())
    return Dataset(dataset_name(path), "voc", str(path), classes, samples, split, notes + repairs.notes())


def _listed(file: Path, repairs: Repairs) -> list[str]:
    rows = [line.split() for line in read_text(file, MAX_XML_BYTES).splitlines()]
    stems = [row[0] for row in rows if row]
    unique = list(dict.fromkeys(stems))
    if len(unique) < len(stems):
        repairs.repeated.append(f"in {file}")
    return unique


def _annotation(file: Path) -> Element:
    if not is_file(file):
        raise DataError(f"the annotation {str(file)!r} is missing")
    return parse_xml(read_bytes(file, MAX_XML_BYTES), str(file))


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


def _sample(
    image: Path, folder: Path, stem: str, tree: Element, index: dict[str, int], repairs: Repairs
) -> Sample:
    size = _declared_size(tree) or readable_size(image)
    boxes = [
        _box(element, index[name], f"object {i} in {stem}.xml")
        for i, (element, name) in enumerate(zip(tree.findall("object"), _names(tree), strict=True), 1)
    ]
    return file_sample(image, relative_name(image, folder), to_labels(boxes, size, repairs), size)


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
