"""What a COCO file holds, checked entry by entry while it is read (see `json_stream.py`)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from paredown.data.fence import MAX_NAMES
from paredown.data.json_stream import Record, read_lists
from paredown.data.labels import MAX_BOXES_PER_IMAGE, Box, check_count, shown, to_class_names, to_number
from paredown.data.shapes import coco_outline, coco_points
from paredown.errors import DataError
from paredown.sample import Outline

MAX_ANNOTATIONS = 2_000_000  # some 600 MB; COCO's training images have 860,000
_MAX_SIDE = 1 << 20  # pixels; more is no image
_FAR = 1.05  # of the image's side: what a box may reach outside by being drawn carelessly

Key = int | str  # an image's or category's id; 1, 1.0 and "1" are the same


class Image(NamedTuple):
    file_name: str
    size: tuple[int, int] | None  # height, width; None where the file does not say


class Annotation(NamedTuple):
    rectangle: tuple[float, float, float, float]  # x y width height, pixels
    category: Key
    crowd: bool
    area: float | None
    name: str
    outline: Outline | None
    points: tuple[float, ...] | None


@dataclass
class Content:
    """Filled by `load`. `classes`: names in the order of the category ids."""

    file: Path
    images: dict[Key, Image] = field(default_factory=dict)
    annotated: bool = False
    classes: tuple[str, ...] = ()
    _class_of: dict[Key, int] = field(default_factory=dict)
    _annotations: dict[Key, list[Annotation]] = field(default_factory=lambda: defaultdict(list))
    _categories: dict[Key, object] = field(default_factory=dict)
    _count: int = 0

    def boxes(self, key: Key) -> Sequence[Box]:
        """The boxes of one image. Raises: DataError where one has an unknown category."""
        return [self._box(a) for a in self._annotations.get(key, ())]

    def notes(self) -> tuple[str, ...]:
        """A sentence for each kind of entry that was not used."""
        if not self.annotated:
            return (f"{self.file.name} holds no annotations: the images are read without truth",)
        lost = self._lost()
        if not lost:
            return ()
        return (
            f"{sum(map(len, lost.values()))} annotations are of images that {self.file.name} does not list "
            f"and were left out, such as {next(iter(lost.values()))[0].name}, image_id {next(iter(lost))!r}",
        )

    def add_image(self, record: Record) -> None:
        key, name = _key(record.get("id")), record.get("file_name")
        if key is None or not isinstance(name, str) or not name.strip():
            raise DataError(
                f"an image without id or file_name in {str(self.file)!r}",
                got=f"{shown(record.get('id'))}, {shown(name)}",
            )
        if key in self.images:
            raise DataError(
                f"an image stands twice in {str(self.file)!r}", got=f"id {shown(key)}, file {shown(name)}"
            )
        if len(self.images) >= MAX_NAMES:
            raise DataError(f"{self.file.name} lists too many images", expected=f"at most {MAX_NAMES:,}")
        self.images[key] = Image(name, _declared_size(record, self.file))

    def add_category(self, record: Record) -> None:
        key = _key(record.get("id"))
        if not isinstance(key, int) or key in self._categories:
            raise DataError(
                f"category ids in {str(self.file)!r} are not distinct whole numbers",
                got=shown(record.get("id")),
            )
        self._categories[key] = record.get("name")

    def add_annotation(self, record: Record) -> None:
        where = f"annotation {shown(record.get('id'))} in {self.file.name}"
        image, category, rectangle = (
            _key(record.get("image_id")),
            _key(record.get("category_id")),
            record.get("bbox"),
        )
        if image is None:
            raise DataError(f"no image_id in {where}", got=shown(record.get("image_id")))
        if category is None:
            raise DataError(
                f"an unknown category in {where}",
                got=shown(record.get("category_id")),
                expected="an id from categories",
            )
        if not isinstance(rectangle, list) or len(rectangle) != 4:
            raise DataError(
                f"no box in {where}", got=shown(rectangle), expected="bbox: [x, y, width, height]"
            )
        x, y, w, h = (to_number(v, where) for v in rectangle)
        area = None if record.get("area") is None else to_number(record["area"], where)
        crowd = record.get("iscrowd", 0)
        kept = self._annotations[image]
        flag = bool(crowd) if isinstance(crowd, bool) or crowd is None else to_number(crowd, where) != 0
        shape = coco_outline(record.get("segmentation")), coco_points(record.get("keypoints"))
        kept.append(Annotation((x, y, w, h), category, flag, area, where, *shape))
        if len(kept) > MAX_BOXES_PER_IMAGE:
            check_count(len(kept), f"image_id {shown(record.get('image_id'))} in {self.file.name}")
        self._count += 1
        if self._count > MAX_ANNOTATIONS:
            raise DataError(f"{self.file.name} holds too many boxes", expected=f"at most {MAX_ANNOTATIONS:,}")

    def settle(self, lists: Mapping[str, object]) -> None:
        """Checks the entries against each other, once all are there."""
        for key in ("images", "categories", *(["annotations"] if "annotations" in lists else [])):
            if lists.get(key) != []:
                raise DataError(
                    f"no list of {key} in {str(self.file)!r}",
                    got=shown(lists.get(key)),
                    expected=f'"{key}": [{{...}}, ...]',
                )
        if not self.images:
            raise DataError(f"no image in {str(self.file)!r}", got='"images": []')
        names = [image.file_name for image in self.images.values()]
        if len(set(names)) < len(names):
            twice = Counter(names).most_common(1)[0][0]
            raise DataError(f"an image stands twice in {str(self.file)!r}", got=f"file {shown(twice)}")
        self.annotated = "annotations" in lists
        ordered = sorted(self._categories)
        self.classes = to_class_names((self._categories[k] for k in ordered), str(self.file))
        self._class_of = {key: index for index, key in enumerate(ordered)}
        lost = self._lost()
        if lost and len(lost) == len(self._annotations):
            first = next(iter(lost.values()))[0]
            raise DataError(
                f"no annotation of {str(self.file)!r} is of an image that is listed",
                got=f"{first.name} with image_id {next(iter(lost))!r}",
                expected=f"an id from images, such as {next(iter(self.images))!r}",
            )
        self._refuse_corners()

    def _lost(self) -> dict[Key, list[Annotation]]:
        return {key: found for key, found in self._annotations.items() if key not in self.images}

    def _box(self, found: Annotation) -> Box:
        if found.category not in self._class_of:
            raise DataError(
                f"an unknown category in {found.name}",
                got=shown(found.category),
                expected="an id from categories",
            )
        x, y, w, h = found.rectangle
        index = self._class_of[found.category]
        more = (found.outline, found.points)
        return Box(x, y, x + w, y + h, index, found.name, found.crowd, found.area, *more)

    def _refuse_corners(self) -> None:
        """Raises: DataError where the boxes are x1 y1 x2 y2: many reach outside, none would if read so."""
        outside = total = 0
        for key, image in self.images.items():
            if image.size is None:
                continue
            height, width = image.size
            for x, y, w, h in (a.rectangle for a in self._annotations.get(key, ())):
                total += 1
                outside += x + w > _FAR * width or y + h > _FAR * height
                if w <= x or h <= y or w > _FAR * width or h > _FAR * height:
                    return
        if 5 * outside > total:
            raise DataError(
                f"the boxes of {self.file.name} look like x1 y1 x2 y2, COCO's are x y width height",
                got=f"{outside} of {total} reach outside their images; read as corners none would",
                hint="write x2 - x1 and y2 - y1 as the last two numbers of every bbox",
            )


def load(file: Path) -> Content:
    """What `file` holds. Raises: DataError."""
    content = Content(file)
    adds = {
        "images": content.add_image,
        "annotations": content.add_annotation,
        "categories": content.add_category,
    }
    content.settle(read_lists(file, adds))
    return content


def _key(value: object) -> Key | None:
    """An id in the one spelling that is compared: 1, 1.0 and "1" are 1; None for what is no id."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"0|[1-9][0-9]{0,15}", value) else value
    return value


def _declared_size(image: Record, file: Path) -> tuple[int, int] | None:
    """Height and width from the JSON, None where it does not say."""
    if image.get("height") is None or image.get("width") is None:
        return None
    where = f"the size of image {shown(image['id'])} in {file.name}"
    height, width = (int(to_number(image[key], where)) for key in ("height", "width"))
    if not (0 < height < _MAX_SIDE and 0 < width < _MAX_SIDE):
        raise DataError(f"{where} is no size", got=f"{width} x {height}")
    return height, width
