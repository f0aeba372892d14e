"""The street around the objects: sky, houses, road and markings, and the shadows on it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown.demo.canvas import Canvas, Points, ellipse
from paredown.demo.things import CLOTH, pick, shade

WALLS = (
    (186, 158, 132), (168, 104, 82), (206, 198, 184), (142, 146, 152), (198, 176, 128), (128, 110, 104),
    (170, 182, 180), (214, 188, 164),
)  # fmt: skip
FAR = 90.0  # metres to the end of the street


@dataclass(frozen=True)
class Street:
    """Where things are across the street, metres: road from left to right, pavements outside it."""

    left: float
    right: float
    pavement: float
    junction: float | None  # depth of a crossing street, if there is one
    crossing: float | None  # depth of a zebra crossing

    @staticmethod
    def random(rng: np.random.Generator) -> Street:
        middle, half = rng.uniform(-3.5, 3.5), rng.uniform(3.4, 5.2)
        return Street(
            left=middle - half,
            right=middle + half,
            pavement=rng.uniform(2.4, 4.2),
            junction=rng.uniform(13, 24) if rng.random() < 0.45 else None,
            crossing=rng.uniform(7, 15) if rng.random() < 0.4 else None,
        )


def draw_backdrop(canvas: Canvas, street: Street, rng: np.random.Generator) -> None:
    _sky(canvas, rng)
    _skyline(canvas, rng)
    _ground(canvas, street, rng)
    for side in (-1, 1):
        _row_of_houses(canvas, street, side, rng)


def _sky(canvas: Canvas, rng: np.random.Generator) -> None:
    height, width = canvas.ids.shape
    rows = max(2, int(canvas.camera.horizon) + 2)
    share = np.linspace(0, 1, rows)[:, None]
    sky = np.array(canvas.light.sky_top) * (1 - share) + np.array(canvas.light.sky_low) * share
    canvas.image[:rows] = np.rint(sky).astype(np.uint8)[:height, None]
    canvas.image[rows : rows + 12] = np.rint(sky[-1]).astype(np.uint8)  # down to where the ground begins
    if canvas.light.name == "night":
        for x, y in rng.uniform((0, 0), (width, rows * 0.7), (30, 2)).astype(int):
            canvas.image[y, x] = (150, 150, 160)
    elif canvas.light.name in ("day", "dusk"):
        layer = canvas.image[:rows].copy()
        white = (250, 250, 250) if canvas.light.name == "day" else (255, 190, 150)
        for x, y in rng.uniform((0, 0), (width, rows * 0.6), (4, 2)):
            for dx, dy, r in rng.normal(0, 1, (5, 3)):
                puff = ellipse(x + dx * 26, y + dy * 5, 20 + abs(r) * 14, 6 + abs(r) * 3)
                cv2.fillPoly(layer, [np.rint(puff).astype(np.int32)], white, cv2.LINE_AA)
        soft = cv2.GaussianBlur(layer, (0, 0), 4)
        canvas.image[:rows] = cv2.addWeighted(canvas.image[:rows], 0.35, soft, 0.65, 0)


def _skyline(canvas: Canvas, rng: np.random.Generator) -> None:
    camera, width = canvas.camera, canvas.ids.shape[1]
    for depth, tall in ((400.0, 0.16), (250.0, 0.1)):
        edges = np.sort(rng.uniform(0, width, 14))
        colour = canvas.seen((108, 118, 132), min(depth, 2.2 / canvas.light.density * (depth / 400)))
        for x1, x2 in pairwise(edges):
            top = camera.horizon - rng.uniform(0.3, 1.0) * tall * width
            corners = [
                (x1 - 3, top),
                (x2 + 3, top),
                (x2 + 3, camera.horizon + 2),
                (x1 - 3, camera.horizon + 2),
            ]
            cv2.fillPoly(canvas.image, [np.rint(np.array(corners)).astype(np.int32)], colour, cv2.LINE_AA)


def _floor(x1: float, x2: float, z1: float, z2: float) -> Points:
    return np.array([(x1, 0, z1), (x2, 0, z1), (x2, 0, z2), (x1, 0, z2)], float)


def _ground(canvas: Canvas, street: Street, rng: np.random.Generator) -> None:
    grey = rng.uniform(72, 104)
    road = (grey, grey * 1.01, grey * 1.05)
    stone = shade((166, 160, 150), rng.uniform(0.85, 1.08))
    grass = pick(rng, ((112, 132, 84), (150, 144, 132)))
    edges = (1.0, 4, 6, 8, 11, 15, 20, 27, 38, 55, FAR, 400)
    surfaces = (
        (-300.0, 300.0, grass),
        (street.left - street.pavement, street.right + street.pavement, stone),
        (street.left - 0.18, street.right + 0.18, shade(stone, 1.14)),
        (street.left, street.right, road),
    )
    for x1, x2, colour in surfaces:  # one surface after the other, so that no seam shows what is below
        for z1, z2 in pairwise(edges):  # in bands, so that the haze grows with the depth
            canvas.polygon(canvas.camera.project(_floor(x1, x2, z1, z2 * 1.01)), colour, (z1 * z2) ** 0.5)
    if street.junction is not None:
        canvas.face(_floor(-150, 150, street.junction - 3.6, street.junction + 3.6), road)
    _markings(canvas, street, road, rng)
    _joints(canvas, street)


def _markings(canvas: Canvas, street: Street, road: tuple[float, ...], rng: np.random.Generator) -> None:
    white = shade((224, 224, 214), rng.uniform(0.8, 1.0))
    middle = (street.left + street.right) / 2
    project = canvas.camera.project
    gap = street.junction if street.junction is not None else -99.0
    for z in np.arange(1.5, 70, 5.0):
        if abs(z + 1 - gap) > 5:
            canvas.polygon(project(_floor(middle - 0.07, middle + 0.07, z, z + 2.4)), white, z)
    if street.crossing is not None:
        z = street.crossing
        stripes = [
            project(_floor(x, x + 0.5, z - 1.5, z + 1.5))
            for x in np.arange(street.left + 0.3, street.right - 0.5, 1.0)
        ]
        canvas.polygons(stripes, white, z)
    for x, z, r in zip(
        rng.uniform(street.left, street.right, 5),
        rng.uniform(4, 25, 5),
        rng.uniform(0.2, 1.1, 5),
        strict=True,
    ):
        p = project(np.array([x, 0, z]))
        k = canvas.camera.pixels_per_metre(z)
        patch = ellipse(float(p[0]), float(p[1]), r * k, r * k * min(0.5, canvas.camera.height / z))
        canvas.polygon(patch, shade(road, rng.uniform(0.8, 0.95)), z)


def _joints(canvas: Canvas, street: Street) -> None:
    """Joints between the slabs of the pavements."""
    inner, outer = (
        (street.left - 0.2, street.right + 0.2),
        (street.left - street.pavement, street.right + street.pavement),
    )
    for z1, z2, step in ((2.0, 5.0, 1.2), (5.0, 12.0, 1.2), (12.0, 40.0, 2.5)):
        lines = [
            canvas.camera.project(np.array([(inner[side], 0, z), (outer[side], 0, z)]))
            for z in np.arange(z1, z2, step)
            for side in (0, 1)
        ]
        canvas.strokes(lines, 1, (136, 130, 122), (z1 * z2) ** 0.5)


def _row_of_houses(canvas: Canvas, street: Street, side: int, rng: np.random.Generator) -> None:
    """Houses along one pavement, the farthest first; a gap where the crossing street goes through."""
    x = street.right + street.pavement if side > 0 else street.left - street.pavement
    x += side * rng.uniform(0, 3)
    houses = []
    z = rng.uniform(-6, 2)
    while z < FAR:
        deep = rng.uniform(8, 16)
        if street.junction is not None and z < street.junction + 5 and z + deep > street.junction - 5:
            if street.junction - 5 - z > 4:
                houses.append((z, street.junction - 5))
            z = street.junction + 5
            continue
        if rng.random() < 0.88:
            houses.append((z, z + deep))
        z += deep + (rng.uniform(1, 5) if rng.random() < 0.2 else 0)
    for z1, z2 in reversed(houses):
        if z2 > 1.5:
            _house(canvas, x, side, max(z1, 1.0), z2, rng)


def _house(canvas: Canvas, x: float, side: int, z1: float, z2: float, rng: np.random.Generator) -> None:
    floors = int(rng.integers(2, 6))
    tall = floors * 3.1 + 1.2
    wall = pick(rng, WALLS)
    sun = canvas.light.sun
    bright = 1.0 if sun is None else (1.06 if side * sun[0] > 0 else 0.72)
    deep = x + side * 12
    canvas.face(np.array([(x, 0, z1), (deep, 0, z1), (deep, tall, z1), (x, tall, z1)]), shade(wall, 0.84))
    for a, b in pairwise(np.linspace(z1, z2, 4)):
        canvas.face(
            np.array([(x, 0, a), (x, 0, b + 0.02), (x, tall, b + 0.02), (x, tall, a)]), shade(wall, bright)
        )
    canvas.face(
        np.array([(x, tall, z1), (x, tall, z2), (x, tall - 0.5, z2), (x, tall - 0.5, z1)]),
        shade(wall, bright * 0.7),
    )
    middle = (z1 + z2) / 2
    bays = np.arange(z1 + 0.9, z2 - 1.4, rng.uniform(2.0, 2.8))
    wide, high = rng.uniform(0.9, 1.4), rng.uniform(1.2, 1.8)
    panes = [
        canvas.camera.project(
            np.array([(x, v, z), (x, v, z + wide), (x, v + high, z + wide), (x, v + high, z)])
        )
        for v in 4.2 + 3.1 * np.arange(floors - 1)
        for z in bays
    ]
    lit = [p for p in panes if canvas.light.lamps and rng.random() < 0.4]
    canvas.polygons(panes, shade((84, 98, 114), bright), middle)
    canvas.polygons(
        lit,
        canvas.seen((255, 214, 140), middle * 0.6) if not canvas.light.lamps else (236, 196, 124),
        middle,
        lamp=True,
    )
    _shops(canvas, x, bays, wide * 1.35, bright, rng)


def _shops(
    canvas: Canvas, x: float, bays: Points, wide: float, bright: float, rng: np.random.Generator
) -> None:
    """Doors, shop windows and awnings on the ground floor."""
    for z in bays:
        glass = np.array([(x, 0.3, z), (x, 0.3, z + wide), (x, 2.5, z + wide), (x, 2.5, z)])
        if rng.random() < 0.25:
            glass[:, 1] = (0.0, 0.0, 2.3, 2.3)
            canvas.face(glass, pick(rng, CLOTH))
        else:
            lit = canvas.light.lamps and rng.random() < 0.6
            canvas.face(glass, (226, 190, 126) if lit else shade((92, 108, 120), bright), lamp=lit)
        if rng.random() < 0.3:
            awning = np.array([(x, 2.9, z), (x, 2.9, z + wide), (x, 2.6, z + wide), (x, 2.6, z)])
            canvas.face(awning, pick(rng, CLOTH))


def cast_shadows(image: NDArray[np.uint8], shapes: list[Points], darkness: float) -> NDArray[np.uint8]:
    """The picture darkened, softly, under the shadow polygons."""
    mask = np.zeros(image.shape[:2], np.uint8)
    for shape in shapes:
        cv2.fillConvexPoly(mask, np.rint(np.clip(shape, -2000, 2000)).astype(np.int32), round(255 * darkness))
    keep = cv2.bitwise_not(cv2.GaussianBlur(mask, (0, 0), 1.5))
    return np.asarray(cv2.multiply(image, cv2.merge([keep, keep, keep]), scale=1 / 255), np.uint8)
