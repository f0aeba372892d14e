"""What the outputs of a model that no family reads look like: said to its user, and never acted upon."""

from __future__ import annotations

from collections.abc import Sequence

from paredown.families.features import Output

STRIDES = (4, 8, 16, 32, 64)
ANCHORS = (3, 5, 9)  # of one cell, in YOLOv3 and later, in YOLOv2, in RetinaNet and EfficientDet
FIXED = 5  # an objectness and a box, beside the scores of the classes


def nearly(outputs: Sequence[Output], size: tuple[int, int]) -> str:
    """What they look like, in words; "" where they look like nothing known.

    size: (height, width) of the input.
    """
    grids = [_grid(o.shape, size) for o in outputs]
    found = [grid for grid in grids if grid is not None]
    if not found or len(found) < len(outputs):
        return ""
    widths = [channels for channels, _ in found]
    places = ", ".join(f"{channels} channels of stride {stride}" for channels, stride in found)
    if len(found) > 1 and len({stride for _, stride in found}) == 1 and {2, 4} & set(widths):
        return f"like {places}, heat maps of centres with the sizes of boxes beside them (CenterNet)"
    if len(set(widths)) > 1 or widths[0] <= FIXED:
        return ""
    ways = [f"{FIXED} + {widths[0] - FIXED} classes in a cell (FastestDet)"]
    ways += [
        f"{n} anchors of {FIXED} + {widths[0] // n - FIXED} classes (YOLO before its anchors are applied)"
        for n in ANCHORS
        if widths[0] % n == 0 and widths[0] // n > FIXED
    ]
    return f"like {places}: a grid of boxes, {' or '.join(ways)}"


def _grid(shape: tuple[int | None, ...], size: tuple[int, int]) -> tuple[int, int] | None:
    """(channels, stride) of an output (1, K, h, w) or (1, h, w, K) over the input; None of any other."""
    if len(shape) != 4 or None in shape:
        return None
    _, first, second, last = (d or 0 for d in shape)
    for channels, places in ((first, (second, last)), (last, (first, second))):
        for stride in STRIDES:
            if places == tuple(-(-side // stride) for side in size):
                return channels, stride
    return None
