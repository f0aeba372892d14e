"""A CSV of boxes, a row for each, as Roboflow, VinBigData, Open Images, Kaggle and TensorFlow leave them.

Corners (`xmin ymin xmax ymax`, `x1`, ...), a corner and a size (`x y w h`), or one cell `[x, y, w, h]`.
Corners that all lie in 0..1 are fractions of the image. A row without a box says that its image holds none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from paredown.data.labels import Box, Repairs, to_labels, to_number
from paredown.errors import DataError
from paredown.sample import Labels

_LOW = (("xmin", "x1", "left"), ("ymin", "y1", "top"))
_HIGH = (("xmax", "x2", "right"), ("ymax", "y2", "bottom"))
_CORNERS = (*_LOW, *_HIGH)
_SIZED = (("x", "left"), ("y", "top"), ("w", "width", "boxwidth"), ("h", "height", "boxheight"))
_ONE = ("bbox", "box", "boundingbox")

Row = Mapping[str, str]


@dataclass(frozen=True)
class BoxColumns:
    """The headers of the box: four, or one of a list in a cell. sized: the last two are width, height."""

    names: tuple[str, ...]
    sized: bool

    def values(self, row: Row, where: str) -> tuple[float, ...] | None:
        """x1 y1 x2 y2 as written; None where the row holds no box. Raises: DataError."""
        cells = [row[name] for name in self.names]
        if len(cells) == 1:
            cells = [c for c in re.split(r"[\s,;]+", cells[0].strip("[]() ")) if c]
        if not any(cells):
            return None
        if len(cells) != 4:
            raise DataError(f"no box in {where}", got=f"{len(cells)} numbers", expected="4")
        x, y, a, b = (to_number(c, where) for c in cells)
        return (x, y, x + a, y + b) if self.sized else (x, y, a, b)


def box_columns(header: list[str]) -> BoxColumns | None:
    """The columns of a box, found by their names in lower case; None where the table has none."""
    plain = {re.sub(r"[\s_.-]", "", name): name for name in header}

    def find(groups: tuple[tuple[str, ...], ...]) -> tuple[str, ...] | None:
        found = [next((plain[n] for n in names if n in plain), None) for names in groups]
        return None if None in found else tuple(str(name) for name in found)

    for groups, sized in ((_CORNERS, False), (_SIZED, True), ((_ONE,), True)):
        names = find(groups)
        if names is not None:
            return BoxColumns(names, sized)
    return None


class Placed(NamedTuple):
    """One row. box: x1 y1 x2 y2 as written, None where the image holds none."""

    name: str
    box: tuple[float, ...] | None
    class_index: int
    where: str


def truths_of(
    rows: Sequence[Placed], sizes: Mapping[str, tuple[int, int] | None], repairs: Repairs
) -> dict[str, Labels]:
    """The boxes of each image in pixels. sizes: (height, width) of each, None where it cannot be read."""
    values = [v for row in rows if row.box is not None for v in row.box]
    fractions = bool(values) and min(values) >= 0 and max(values) <= 1
    boxes: dict[str, list[Box]] = {row.name: [] for row in rows}
    for row in rows:
        if row.box is not None:
            height, width = (sizes[row.name] or (1, 1)) if fractions else (1, 1)
            x1, y1, x2, y2 = row.box
            box = Box(x1 * width, y1 * height, x2 * width, y2 * height, row.class_index, row.where)
            boxes[row.name].append(box)
    return {name: to_labels(found, sizes[name], repairs) for name, found in boxes.items()}
