"""The rows of a YOLO label file, all from 0 to 1.

`class cx cy w h`, `class x1 y1 x2 y2 x3 y3 ...` for an outline or a turned box, `class cx cy w h px py v ...`
for key points.
A row that stands there twice counts once, as in Ultralytics.
"""

from __future__ import annotations

from pathlib import Path

from paredown.data.files import head, read_text
from paredown.data.images import readable_size
from paredown.data.labels import Box, Repairs, shown, to_labels, to_number
from paredown.data.shapes import outline_of
from paredown.errors import DataError
from paredown.sample import Labels

MAX_LABEL_BYTES = 16 << 20
_MAX_CLASSES = 100_000
_TURNED = 8  # numbers of an outline of four corners, which may be a turned box
_OUTSIDE = 1.5  # a normalised value beyond this is in pixels, not a box that reaches outside


def read_truth(
    image: Path, path: Path | None, n_classes: int, repairs: Repairs, keypoints: int = 0
) -> Labels:
    """The boxes that the label file at `path` holds for an image; none where there is no file.

    keypoints: numbers of each key point behind a box, 2 or 3; 0 where there are none.

    Raises: DataError naming file and row.
    """
    size = readable_size(image) if path is not None else None
    if path is None or size is None:
        return to_labels((), None, repairs)
    rows: dict[str, int] = {}  # each row once, with the number of its first line
    for number, line in enumerate(read_text(path, MAX_LABEL_BYTES).splitlines(), 1):
        rows.setdefault(line.strip(), number)
    boxes = [
        _box(row.split(), f"{path}, row {number}", n_classes, keypoints, size)
        for row, number in rows.items()
        if row
    ]
    return to_labels(boxes, size, repairs)


def looks_like_rows(path: Path) -> bool:
    """Whether the first row of a text file could be a row of boxes. An empty file is none that says so."""
    first = next(
        (row for row in head(path).decode("utf-8", "replace").splitlines() if row.strip("\ufeff \t")), ""
    )
    cells = first.strip("\ufeff").split()
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        return False
    return len(values) >= 5 and values[0].is_integer() and values[0] >= 0


def point_width(shape: object) -> int:
    """How many numbers each key point has, by `kpt_shape` of a data.yaml: 3 with whether it is seen."""
    return 2 if isinstance(shape, list) and len(shape) == 2 and str(shape[1]).strip() == "2" else 3


def class_number(value: object, where: str) -> int:
    """The index that a label file or description writes. Raises: DataError naming `where`."""
    number = to_number(value, where)
    if number != int(number) or not 0 <= number < _MAX_CLASSES:
        raise DataError(f"no class number in {where}", got=shown(value), expected="a whole number from 0")
    return int(number)


def forward(name: str) -> str:
    """A path as written on Windows, with forward slashes."""
    return name.replace("\\", "/")


def _box(row: list[str], where: str, n_classes: int, keypoints: int, size: tuple[int, int]) -> Box:
    height, width = size
    outline = len(row) >= 7 and len(row) % 2 == 1 and not keypoints
    if len(row) != 5 and not outline and not (keypoints and len(row) > 5):
        raise DataError(f"{len(row)} values in {where}", expected="class cx cy w h")
    index = class_number(row[0], where)
    if index >= n_classes:
        raise DataError(f"class {index} in {where}", expected=f"0 to {n_classes - 1}, as many as are named")
    values = [to_number(v, where) for v in (row[1:] if outline else row[1:5])]
    if max(abs(v) for v in values) > _OUTSIDE:
        raise DataError(
            f"coordinates that are not normalised in {where}",
            got=" ".join(row[:5]),
            expected="values from 0 to 1",
            hint="divide x and w by the image's width, y and h by its height",
        )
    if outline:
        xs, ys = [x * width for x in values[::2]], [y * height for y in values[1::2]]
        drawn = tuple(v for pair in zip(xs, ys, strict=True) for v in pair)
        corners = drawn if len(drawn) == _TURNED else None
        return Box(
            min(xs), min(ys), max(xs), max(ys), index, where, outline=outline_of(drawn), corners=corners
        )
    cx, cy, w, h = values
    sides = (cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height
    return Box(*sides, index, where, points=_points(row[5:], keypoints, where, size) if keypoints else None)


def _points(row: list[str], numbers: int, where: str, size: tuple[int, int]) -> tuple[float, ...] | None:
    """x, y in pixels and whether each is marked; None where the row has another count of columns."""
    if not row or len(row) % numbers:
        return None
    values = [to_number(v, where) for v in row]
    found: list[float] = []
    for i in range(0, len(values), numbers):
        x, y = values[i] * size[1], values[i + 1] * size[0]
        marked = values[i + 2] if numbers == 3 else float(bool(x or y)) * 2
        found += (x, y, marked)
    return tuple(found)
