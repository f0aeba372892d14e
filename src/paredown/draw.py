"""Boxes and names drawn into an image. numpy and OpenCV only: the bundle's `detect.py` carries this file."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown.detections import Detections

SURE_POINT = 0.5  # key points below are not drawn
PERSON_POINTS = 17  # of COCO's persons, and the limbs between them
LIMBS = ((15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9),
         (8, 10), (0, 1), (0, 2), (1, 3), (2, 4))  # fmt: skip
GOLDEN = 0.618034  # steps of the golden ratio keep neighbouring classes apart in hue, for any number of them


def class_colour(index: int) -> tuple[int, int, int]:
    """The RGB colour of a class: hue by golden-ratio steps, lightness in turns."""
    lightness = (0.42, 0.55, 0.34)[index % 3]
    red, green, blue = colorsys.hls_to_rgb((0.58 + GOLDEN * index) % 1.0, lightness, 0.85)
    return round(255 * red), round(255 * green), round(255 * blue)


def brightness(colour: tuple[int, int, int]) -> float:
    """Luma of an RGB colour, 0..255, by ITU-R BT.601."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def draw_detections(image: NDArray[np.uint8], found: Detections, classes: Sequence[str]) -> NDArray[np.uint8]:
    """A copy of the image (H, W, 3) with every box, the least certain first so that the surest lie on top.

    Masks, key points and turned boxes are drawn where there are any.
    """
    thickness = max(1, round(max(image.shape[:2]) / 400))
    canvas = draw_shapes(image, found, thickness)
    for i in range(len(found) - 1, -1, -1):
        name = classes[int(found.classes[i])] if int(found.classes[i]) < len(classes) else "?"
        x1, y1, x2, y2 = (round(float(v)) for v in found.boxes[i])
        colour = class_colour(int(found.classes[i]))
        if found.corners is None:
            cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, thickness, cv2.LINE_AA)
        draw_label(canvas, f"{name} {float(found.scores[i]):.2f}", (x1, y1), colour)
    return canvas


def draw_shapes(image: NDArray[np.uint8], found: Detections, thickness: int = 1) -> NDArray[np.uint8]:
    """A copy of the image with what detections hold beside boxes: masks, key points, turned boxes.

    Masks are of another size than the image where that is drawn larger or smaller.
    """
    canvas = image.copy()
    for i in range(len(found) - 1, -1, -1):
        colour = class_colour(int(found.classes[i]) if found.points is None else i)
        if found.masks is not None:
            shown = found.masks[i].pixels.astype(np.uint8)
            if shown.shape != canvas.shape[:2]:
                shown = np.asarray(cv2.resize(shown, canvas.shape[1::-1], interpolation=cv2.INTER_NEAREST))
            inside = shown > 0
            canvas[inside] = np.rint((canvas[inside] + np.array(colour)) / 2).astype(np.uint8)
        if found.corners is not None:
            around = np.rint(found.corners[i]).astype(np.int32)
            cv2.polylines(canvas, [around], True, colour, thickness, cv2.LINE_AA)
        if found.points is not None:
            _draw_points(canvas, found.points[i], colour, thickness)
    return canvas


def _draw_points(
    canvas: NDArray[np.uint8], points: NDArray[np.floating[Any]], colour: tuple[int, int, int], thickness: int
) -> None:
    """Points (P, 3) that are sure, and a person's limbs between them."""
    sure = points[:, 2] >= SURE_POINT
    places = [(round(float(x)), round(float(y))) for x, y, _ in points]
    for a, b in LIMBS if len(points) == PERSON_POINTS else ():
        if sure[a] and sure[b]:
            cv2.line(canvas, places[a], places[b], colour, thickness + 1, cv2.LINE_AA)
    for place in (p for p, shown in zip(places, sure, strict=True) if shown):
        cv2.circle(canvas, place, thickness + 2, colour, cv2.FILLED, cv2.LINE_AA)


def draw_label(
    canvas: NDArray[np.uint8], text: str, corner: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    """Text on a filled rectangle that stands on `corner`, or hangs from it at the upper edge."""
    text = text.encode("ascii", "replace").decode()  # all that OpenCV's font has; half a character ends it
    scale = max(0.4, max(canvas.shape[:2]) / 1500)
    weight = max(1, round(1.5 * scale))
    (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, weight)
    x = max(0, min(corner[0], canvas.shape[1] - width - 4))
    y = corner[1] if corner[1] >= height + base + 2 else corner[1] + height + base + 2
    cv2.rectangle(canvas, (x, y - height - base - 2), (x + width + 4, y), colour, cv2.FILLED)
    at = (x + 2, y - base)
    ink = (0, 0, 0) if brightness(colour) > 140 else (255, 255, 255)
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, weight, cv2.LINE_AA)


def draw_class_map(
    image: NDArray[np.uint8], classes: NDArray[np.integer[Any]], share: float = 0.55
) -> NDArray[np.uint8]:
    """A copy of the image (H, W, 3) with the pixels of every class but the first in its colour.

    classes: (H, W), the first class is most often the background. share: of the colour in what is seen.
    """
    shown = classes > 0
    table = np.array([class_colour(i) for i in range(int(classes.max(initial=0)) + 1)], np.float32)
    mixed = image.astype(np.float32)
    mixed[shown] = (1 - share) * mixed[shown] + share * table[classes[shown]]
    return np.rint(mixed).astype(np.uint8)
