"""A pinhole camera and a painter's canvas that remembers which object owns each pixel.

World: X to the right, Y up from the ground, Z away from the camera, all in metres. Image: x, y in pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import exp

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown.demo.light import Light

Colour = Sequence[float]  # R G B, 0..255
Points = NDArray[np.float64]

NEAR = 0.6  # metres; what is nearer is drawn at this depth
SUBPIXEL_BITS = 4
FAR_OUTSIDE = 8000.0  # pixels; keeps coordinates inside what OpenCV's fixed point can hold


@dataclass(frozen=True)
class Camera:
    """focal: pixels; x0, horizon: image position of the vanishing point; height: metres above the ground."""

    focal: float
    x0: float
    horizon: float
    height: float

    def project(self, world: Points) -> Points:
        """Image points (..., 2) of world points (..., 3)."""
        scale = self.focal / np.maximum(world[..., 2], NEAR)
        points = np.empty((*world.shape[:-1], 2))
        points[..., 0] = self.x0 + world[..., 0] * scale
        points[..., 1] = self.horizon + (self.height - world[..., 1]) * scale
        return points

    def pixels_per_metre(self, depth: float) -> float:
        return self.focal / max(depth, NEAR)


@dataclass
class Canvas:
    """The picture being painted, far things first.

    `owner` is written into `ids` by every stroke, so what is in front takes the pixel. `reach` collects the
    extent of the current owner, also outside the picture, to know how much of it was cut off.
    """

    camera: Camera
    light: Light
    image: NDArray[np.uint8]  # (H, W, 3)
    ids: NDArray[np.uint8]  # (H, W), 0 is background
    owner: int = 0
    reach: list[tuple[float, float, float, float]] = field(default_factory=list)
    lamps: list[tuple[float, float, float, tuple[float, ...], int]] = field(default_factory=list)

    @staticmethod
    def blank(camera: Camera, light: Light, size: tuple[int, int]) -> Canvas:
        height, width = size
        return Canvas(
            camera,
            light,
            np.zeros((height, width, 3), np.uint8),
            np.zeros((height, width), np.uint8),
        )

    def seen(self, colour: Colour, depth: float) -> tuple[float, float, float]:
        """The colour of a surface at `depth` metres in this light and haze."""
        clear = exp(-depth * self.light.density)
        r, g, b = (
            c * a * clear + h * (1 - clear)
            for c, a, h in zip(colour, self.light.ambient, self.light.haze, strict=True)
        )
        return r, g, b

    def polygons(self, shapes: Iterable[Points], colour: Colour, depth: float, lamp: bool = False) -> None:
        """Fills image polygons (n, 2) with one colour. A lamp keeps its colour in any light."""
        seen = tuple(colour) if lamp else self.seen(colour, depth)
        fixed = [_fixed(p) for p in shapes]
        cv2.fillPoly(self.image, fixed, seen, cv2.LINE_AA, SUBPIXEL_BITS)
        cv2.fillPoly(self.ids, fixed, self.owner, cv2.LINE_8, SUBPIXEL_BITS)
        if self.owner:
            self.reach += [_extent(p, 0.0) for p in fixed]

    def polygon(self, shape: Points, colour: Colour, depth: float, lamp: bool = False) -> None:
        self.polygons([shape], colour, depth, lamp)

    def stroke(self, points: Points, width: float, colour: Colour, depth: float) -> None:
        """Draws a line with round ends through image points (n, 2), `width` in pixels."""
        self.strokes([points], width, colour, depth)

    def strokes(self, lines: Iterable[Points], width: float, colour: Colour, depth: float) -> None:
        fixed = [_fixed(p) for p in lines]
        thick = max(1, round(width))
        seen = self.seen(colour, depth)
        cv2.polylines(self.image, fixed, False, seen, thick, cv2.LINE_AA, SUBPIXEL_BITS)
        cv2.polylines(self.ids, fixed, False, self.owner, thick, cv2.LINE_8, SUBPIXEL_BITS)
        if self.owner:
            self.reach += [_extent(p, width / 2) for p in fixed]

    def face(self, world: Points, colour: Colour, lamp: bool = False) -> None:
        """Fills the polygon through world points (n, 3)."""
        self.polygon(self.camera.project(world), colour, float(world[:, 2].mean()), lamp)

    def shine(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Puts a light with a halo at an image point; it shows where nothing comes to stand in front."""
        self.lamps.append((x, y, radius, tuple(colour), self.owner))

    def glow(self) -> NDArray[np.uint8]:
        """The lamps that are still seen, as discs in a picture (H/4, W/4, 3)."""
        height, width = self.ids.shape
        glow = np.zeros(((height + 3) // 4, (width + 3) // 4, 3), np.uint8)
        for x, y, radius, colour, owner in self.lamps:
            column, row = round(x), round(y)
            if 0 <= column < width and 0 <= row < height and self.ids[row, column] == owner:
                at = _fixed(np.array([[x / 4, y / 4]]))[0].tolist()
                r = round(max(1.0, radius / 4) * (1 << SUBPIXEL_BITS))
                cv2.circle(glow, at, r, colour, -1, cv2.LINE_AA, SUBPIXEL_BITS)
        return glow

    def take_extent(self) -> tuple[float, float, float, float]:
        """x1 y1 x2 y2 of everything drawn since the last call, also outside the picture."""
        drawn = np.array(self.reach)
        self.reach = []
        lo, hi = drawn[:, :2].min(0), drawn[:, 2:].max(0)
        return float(lo[0]), float(lo[1]), float(hi[0]), float(hi[1])


def ellipse(x: float, y: float, rx: float, ry: float, n: int = 20) -> Points:
    """Points (n, 2) of an ellipse in the image."""
    return _circle(n) * (rx, ry) + (x, y)


@cache
def _circle(n: int) -> Points:
    turn = np.arange(n) * (2 * np.pi / n)
    return np.stack([np.cos(turn), np.sin(turn)], axis=1)


def upright(x: float, z: float, corners: Sequence[tuple[float, float]]) -> Points:
    """World points of a flat shape that faces the camera: corners are (metres right of x, metres up)."""
    return np.array([(x + u, v, z) for u, v in corners])


def _fixed(points: Points) -> NDArray[np.int32]:
    held = np.minimum(np.maximum(points, -FAR_OUTSIDE), FAR_OUTSIDE) * (1 << SUBPIXEL_BITS)
    fixed: NDArray[np.int32] = np.rint(held).astype(np.int32)
    return fixed


def _extent(fixed: NDArray[np.int32], margin: float) -> tuple[float, float, float, float]:
    (x1, y1), (x2, y2) = fixed.min(0).tolist(), fixed.max(0).tolist()
    unit = 1 << SUBPIXEL_BITS
    return x1 / unit - margin, y1 / unit - margin, x2 / unit + margin, y2 / unit + margin
