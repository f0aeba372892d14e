"""What the outputs of a model that no family reads look like: said to its user, and never acted upon."""

from __future__ import annotations

from collections.abc import Sequence

from paredown.families.outputs import Output
from paredown.families.planes import find_planes

FIXED = 5  # an objectness and a box, beside the scores of the classes
FASTEST = (
    'columns = "objectness cx cy w h scores", centre = "tanh", extent = "sigmoid", powers = [0.6, 0.4], '
    'activation = "none"'
)
ANCHORED = {  # by how many anchors a cell has
    3: 'YOLOv3 to v7 before their anchors: columns = "cx cy w h objectness scores", anchors = [w, h, ...] in '
    'pixels for each output in turn, centre = "sigmoid" and extent = "exp", of v5 and v7 "2*sigmoid-0.5" and '
    '"squared"; v5 for COCO, finest grid first: anchors = [10, 13, 16, 30, 33, 23, 30, 61, 62, 45, 59, 119, '
    "116, 90, 156, 198, 373, 326]",
    5: 'YOLOv2 before its anchors: columns = "cx cy w h objectness scores", activation = "softmax", '
    "anchors = [w, h, ...] in pixels, 32 times those of its .cfg",
}


def nearly(outputs: Sequence[Output], size: tuple[int, int]) -> str:
    """What they look like, in words; "" where they look like nothing known.

    size: (height, width) of the input.
    """
    found = find_planes([o.shape for o in outputs], size)
    if found is None:
        return ""
    widths = [plane.channels for plane in found]
    places = ", ".join(f"{plane.channels} channels of stride {plane.stride}" for plane in found)
    if len(found) > 1 and len({plane.stride for plane in found}) == 1 and {2, 4} & set(widths):
        return f"like {places}, of which no shape tells the heat maps of centres (CenterNet)"
    if len(set(widths)) > 1 or widths[0] <= FIXED:
        return ""
    ways = [f"{FIXED} + {widths[0] - FIXED} classes in a cell (FastestDet: {FASTEST})"]
    ways += [
        f"{n} anchors of {FIXED} + {widths[0] // n - FIXED} classes ({ANCHORED[n]})"
        for n in ANCHORED
        if widths[0] % n == 0 and widths[0] // n > FIXED
    ]
    which = " or ".join(ways)
    return f"like {places}: a grid of boxes, {which}. Such lines under [decode] of a card.toml read it"
