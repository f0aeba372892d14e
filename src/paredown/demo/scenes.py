"""Street scenes drawn from a seed: people, bicycles, cars and buses with their true boxes.

Nothing is read from disk or copied from anywhere; the same seed gives the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown.demo.canvas import Camera, Canvas, Points
from paredown.demo.clutter import CLUTTER
from paredown.demo.light import add_glow, add_rain, draw_light, expose
from paredown.demo.street import Street, cast_shadows, draw_backdrop
from paredown.demo.things import CLOTH, Person, draw_bicycle, draw_person, draw_rider, pick
from paredown.demo.vehicles import Vehicle, draw_vehicle
from paredown.sample import Dataset, Labels, Sample

CLASSES = ("person", "bicycle", "car", "bus")
PERSON, BICYCLE, CAR, BUS = range(4)
SIZE = (384, 512)  # height, width of a scene

MIN_VISIBLE = 0.3  # share of an object that must show for it to count
MIN_SIDE = 9  # pixels of a box's shorter side at SIZE
MIN_PIXELS = 60  # visible pixels at SIZE


@dataclass(frozen=True)
class Thing:
    """One thing on the ground, with half the room it takes. `parts` are painted in order: (class or None
    for clutter, function that paints it)."""

    x: float
    z: float
    half_x: float
    half_z: float
    height: float
    parts: tuple[tuple[int | None, Callable[[], None]], ...]

    def apart(self, other: Thing) -> bool:
        return (
            abs(self.x - other.x) > self.half_x + other.half_x
            or abs(self.z - other.z) > self.half_z + other.half_z
        )


def scene(seed: int, size: tuple[int, int] = SIZE) -> tuple[NDArray[np.uint8], Labels]:
    """The picture (H, W, 3) uint8 RGB of one seed, and the boxes of what is visible in it."""
    rng = np.random.default_rng([seed, 7919])
    height, width = size
    light, street = draw_light(rng), Street.random(rng)
    camera = Camera(
        focal=width * rng.uniform(0.8, 1.25),
        x0=width * rng.uniform(0.35, 0.65),
        horizon=height * rng.uniform(0.3, 0.46),
        height=rng.uniform(1.6, 3.6),
    )
    canvas = Canvas.blank(camera, light, size)
    draw_backdrop(canvas, street, rng)
    things = sorted(_populate(canvas, street, rng), key=lambda t: -t.z)
    canvas.image = cast_shadows(canvas.image, [_shadow(canvas, t) for t in things], light.shadow)
    labels = _paint(canvas, things)
    image = add_glow(canvas.image, canvas.glow(), light.wet) if light.lamps else canvas.image
    if light.rain:
        image = add_rain(image, light.rain, rng)
    return expose(image, light, rng), labels


def scenes(
    n: int, seed: int, *, first: int = 0, name: str = "street scenes", size: tuple[int, int] = SIZE
) -> Dataset:
    """Scenes first .. first + n - 1 of a seed, drawn now (about 25 ms each) to know what is true of them.

    The last pictures are kept, older ones drawn again when read. Sets of different seeds share no scene.
    """
    samples = tuple(_sample(seed * 1_000_003 + first + i, size) for i in range(n))
    return Dataset(name, "demo", f"seed {seed}", CLASSES, samples)


def _sample(seed: int, size: tuple[int, int]) -> Sample:
    truth = _drawn(seed, size)[1]
    return Sample(f"street-{seed:010d}.png", partial(_image, seed, size), partial(_digest, seed, size), truth)


def _image(seed: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    return _drawn(seed, size)[0].copy()


@lru_cache(maxsize=256)
def _drawn(seed: int, size: tuple[int, int]) -> tuple[NDArray[np.uint8], Labels]:
    return scene(seed, size)


def _digest(seed: int, size: tuple[int, int]) -> str:
    return hashlib.sha256(_drawn(seed, size)[0].tobytes()).hexdigest()


def _populate(canvas: Canvas, street: Street, rng: np.random.Generator) -> list[Thing]:
    """Things that do not stand in each other, the ones that take most room placed first."""
    kinds: tuple[tuple[Callable[[], Thing], int], ...] = (
        (lambda: _vehicle(street, "bus", rng, canvas), int(rng.random() < 0.55)),
        (lambda: _vehicle(street, "car", rng, canvas), int(rng.integers(1, 7))),
        (lambda: _bicycle(street, rng, canvas), int(rng.integers(0, 4))),
        (lambda: _person(street, rng, canvas), int(rng.integers(1, 10))),
        (lambda: _clutter(street, rng, canvas), int(rng.integers(3, 10))),
    )
    makers = [make for make, count in kinds for _ in range(count)]
    placed: list[Thing] = []
    for make in makers:
        for _ in range(4):
            thing = make()
            if all(thing.apart(other) for other in placed):
                placed.append(thing)
                break
    return placed


def _vehicle(street: Street, kind: str, rng: np.random.Generator, canvas: Canvas) -> Thing:
    """A vehicle in its lane, parked at the kerb, or driving through the crossing street."""
    quarter = (street.right - street.left) / 4
    right = rng.random() < 0.5
    yaw = (np.pi / 2 if right else -np.pi / 2) + rng.normal(0, 0.05)
    x = (street.right if right else street.left) + (-1 if right else 1) * quarter
    z = rng.uniform(9 if kind == "bus" else 5.5, 34)
    how = rng.random()
    if street.junction is not None and how < 0.4:
        yaw = (0.0 if rng.random() < 0.5 else np.pi) + rng.normal(0, 0.06)
        x, z = rng.uniform(-9, 9), street.junction + (1.7 if np.cos(yaw) > 0 else -1.7)
    elif how < 0.65 and kind == "car":
        x += (1 if right else -1) * (quarter - 1.05)
    elif how < 0.75:
        yaw, x = rng.uniform(0, 2 * np.pi), rng.uniform(street.left + 1, street.right - 1)
    it = Vehicle.random(rng, kind, yaw)
    half_x, half_z = it.footprint()
    z = max(z, half_z + 3.0)
    which = BUS if kind == "bus" else CAR
    return Thing(x, z, half_x, half_z, it.height, ((which, lambda: draw_vehicle(canvas, it, x, z)),))


def _person(street: Street, rng: np.random.Generator, canvas: Canvas) -> Thing:
    who = Person.random(rng)
    z = rng.uniform(4.0, 24)
    if rng.random() < 0.72:
        edge = rng.uniform(0.3, street.pavement - 0.3)
        x = street.right + edge if rng.random() < 0.5 else street.left - edge
    else:
        x = rng.uniform(street.left, street.right)
        if street.crossing is not None:
            z = street.crossing + rng.uniform(-1.2, 1.2)
    return Thing(x, z, 0.3, 0.25, who.height, ((PERSON, lambda: draw_person(canvas, who, x, z)),))


def _bicycle(street: Street, rng: np.random.Generator, canvas: Canvas) -> Thing:
    who, colour = Person.random(rng), pick(rng, CLOTH)
    facing, squeeze = (1 if rng.random() < 0.5 else -1), rng.uniform(0.4, 1.0)
    z, ridden = rng.uniform(4.5, 20), rng.random() < 0.6
    x = (
        rng.uniform(street.left + 0.5, street.right - 0.5)
        if ridden
        else rng.choice((street.left - 0.8, street.right + 0.8))
    )
    x = float(x)
    parts: list[tuple[int | None, Callable[[], None]]] = [
        (BICYCLE, lambda: draw_bicycle(canvas, colour, x, z, facing, squeeze))
    ]
    if ridden:
        parts.append((PERSON, lambda: draw_rider(canvas, who, x, z, facing, squeeze)))
    return Thing(x, z, 0.9 * squeeze, 0.3, 1.0, tuple(parts))


def _clutter(street: Street, rng: np.random.Generator, canvas: Canvas) -> Thing:
    draw = CLUTTER[int(rng.integers(len(CLUTTER)))]
    edge = rng.uniform(0.4, street.pavement)
    x = float(street.right + edge if rng.random() < 0.5 else street.left - edge)
    z, look = rng.uniform(4.5, 30), int(rng.integers(1 << 31))
    return Thing(x, z, 0.5, 0.4, 1.2, ((None, lambda: draw(canvas, x, z, np.random.default_rng(look))),))


def _shadow(canvas: Canvas, it: Thing) -> Points:
    """Image polygon of the shadow: the footprint, in the sun together with itself moved by the height."""
    grow = 1.08
    corners = np.array(
        [
            (it.x + a * it.half_x * grow, 0, it.z + b * it.half_z * grow)
            for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]
    )
    if canvas.light.sun is None:
        return canvas.camera.project(corners)
    right, away = canvas.light.sun
    moved = corners + np.array([right, 0, away]) * it.height
    points = canvas.camera.project(np.concatenate([corners, moved]))
    return np.asarray(cv2.convexHull(points.astype(np.float32)), float)[:, 0]


def _paint(canvas: Canvas, things: list[Thing]) -> Labels:
    """Paints far to near and gives the boxes of what is still visible in the end."""
    height, width = canvas.ids.shape
    painted: list[
        tuple[int, int, int, float]
    ] = []  # id, class, pixels when painted, share inside the picture
    for thing in things:
        for kind, paint in thing.parts:
            canvas.owner = 0 if kind is None else len(painted) + 1
            paint()
            if kind is None:
                continue
            x1, y1, x2, y2 = canvas.take_extent()
            inside = max(0.0, min(x2, width) - max(x1, 0)) * max(0.0, min(y2, height) - max(y1, 0))
            share = inside / max((x2 - x1) * (y2 - y1), 1e-6)
            painted.append((canvas.owner, kind, int(np.count_nonzero(canvas.ids == canvas.owner)), share))
    return _labels(canvas.ids, painted)


def _labels(ids: NDArray[np.uint8], painted: list[tuple[int, int, int, float]]) -> Labels:
    unit = ids.shape[1] / SIZE[1]
    boxes, classes, area = [], [], []
    for owner, kind, pixels, share in painted:
        mine = ids == owner
        left = int(np.count_nonzero(mine))
        if left < MIN_PIXELS * unit**2 or left * share < MIN_VISIBLE * pixels:
            continue
        columns, rows = np.flatnonzero(mine.any(0)), np.flatnonzero(mine.any(1))
        box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        if min(box[2] - box[0], box[3] - box[1]) < MIN_SIDE * unit:
            continue
        boxes.append(box)
        classes.append(kind)
        area.append(left)
    return Labels(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(classes, np.int64),
        np.zeros(len(boxes), bool),
        np.array(area, np.float32),
    )
