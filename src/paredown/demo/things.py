"""What the detector must find: people, bicycles, cars and buses, drawn at a place in the world.

Every function paints one thing on the canvas, whose `owner` the caller has set. Lengths in metres.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from paredown.demo.canvas import Canvas, Colour, Points, ellipse

SKIN = ((244, 208, 177), (224, 172, 135), (176, 120, 84), (122, 80, 54), (84, 56, 42))
HAIR = ((40, 30, 26), (92, 60, 36), (156, 116, 66), (188, 186, 182), (24, 22, 24))
CLOTH = (
    (196, 52, 48), (42, 84, 156), (40, 44, 52), (226, 222, 214), (84, 122, 78), (222, 174, 60),
    (120, 72, 128), (66, 132, 140), (206, 118, 70), (108, 110, 116), (236, 150, 170), (30, 40, 72),
)  # fmt: skip
PAINT = (
    (208, 40, 40), (36, 74, 150), (232, 232, 230), (38, 40, 44), (150, 154, 160), (60, 112, 84),
    (226, 186, 54), (120, 32, 44), (92, 138, 186), (196, 180, 152), (232, 120, 44),
)  # fmt: skip
GLASS = (66, 84, 98)
TYRE = (30, 30, 33)
HIP = 0.49  # share of the body height

Place = Callable[..., Points]  # (u, v) pairs beside and above a thing's foot -> image points


def pick(rng: np.random.Generator, colours: tuple[tuple[int, int, int], ...]) -> Colour:
    """One of the colours, a little off, so that no two are equal."""
    base = np.array(colours[int(rng.integers(len(colours)))], float)
    return [float(c) for c in np.clip(base * rng.uniform(0.88, 1.1) + rng.normal(0, 4, 3), 0, 255)]


def shade(colour: Colour, factor: float) -> Colour:
    return [min(255.0, c * factor) for c in colour]


@dataclass(frozen=True)
class Person:
    """How one person looks. `stride` is the half angle between the legs, in radians."""

    height: float
    facing: int  # -1 left, 1 right, 0 to or from the camera
    stride: float
    skin: Colour
    hair: Colour
    top: Colour
    bottom: Colour
    skirt: bool
    bag: bool
    back: bool  # seen from behind

    @staticmethod
    def random(rng: np.random.Generator) -> Person:
        child = rng.random() < 0.12
        return Person(
            height=rng.uniform(1.1, 1.35) if child else rng.uniform(1.55, 1.92),
            facing=int(rng.integers(-1, 2)),
            stride=rng.uniform(0.04, 0.42),
            skin=pick(rng, SKIN),
            hair=pick(rng, HAIR),
            top=pick(rng, CLOTH),
            bottom=pick(rng, CLOTH),
            skirt=rng.random() < 0.2,
            bag=rng.random() < 0.3,
            back=rng.random() < 0.5,
        )


def draw_person(canvas: Canvas, who: Person, x: float, z: float) -> None:
    """A walking or standing person, feet on the ground at (x, z). Measures are shares of the body height."""
    h = who.height
    k = canvas.camera.pixels_per_metre(z) * h  # pixels per body height
    wide = 0.085 if who.facing else 0.125  # half the shoulders
    reach = np.sin(who.stride) * 0.46 * (1.0 if who.facing else 0.35)
    swing = reach * 0.8

    def at(*uv: tuple[float, float]) -> Points:
        return canvas.camera.project(np.array([(x + u * h, v * h, z) for u, v in uv]))

    _leg(canvas, who, at, -1, reach, 0.78, k, z)
    far_arm = at((-wide, 0.79), (-wide - swing * 0.8, 0.6), (-wide * 0.9 - swing, 0.47))
    canvas.stroke(far_arm, 0.055 * k, shade(who.top, 0.75), z)
    _leg(canvas, who, at, 1, reach, 1.0, k, z)
    w = wide * 0.8
    if who.skirt:
        canvas.polygon(at((-w, 0.55), (w, 0.55), (wide * 1.3, 0.3), (-wide * 1.3, 0.3)), who.bottom, z)
    right_half = ((w, 0.83), (wide, 0.76), (w, HIP - 0.02))
    canvas.polygon(at((-w, HIP - 0.02), (-wide, 0.76), (-w, 0.83), *right_half), who.top, z)
    canvas.polygon(at((0, HIP - 0.02), (wide * 0.1, 0.82), *right_half), shade(who.top, 0.86), z)
    hand = wide + swing
    if who.bag:
        bag = at((hand - 0.06, 0.46), (hand + 0.08, 0.46), (hand + 0.09, 0.3), (hand - 0.07, 0.3))
        canvas.polygon(bag, shade(who.bottom, 0.7), z)
    near_arm = at((wide * 0.9, 0.79), (wide * 0.9 + swing * 0.5, 0.62), (w + swing, 0.48))
    canvas.stroke(near_arm, 0.055 * k, shade(who.top, 0.92), z)
    canvas.polygon(_disc(near_arm[-1], 0.026 * k, 0.026 * k, 10), who.skin, z)
    _head(canvas, who, at((who.facing * 0.015, 0.915))[0], k, z)


def _leg(
    canvas: Canvas, who: Person, at: Place, side: int, reach: float, tone: float, k: float, z: float
) -> None:
    spread = 0.0 if who.facing else 0.045
    foot = side * (reach + spread)
    knee = (foot * 0.6 + who.facing * 0.03, 0.26)
    colour = shade(who.skin if who.skirt else who.bottom, tone)
    canvas.stroke(at((side * spread, HIP), knee, (foot, 0.03)), 0.078 * k, colour, z)
    canvas.stroke(at((foot, 0.02), (foot + who.facing * 0.07, 0.015)), 0.055 * k, (46, 38, 36), z)


def _disc(centre: Points, rx: float, ry: float, n: int = 20) -> Points:
    return ellipse(float(centre[0]), float(centre[1]), rx, ry, n)


def _head(canvas: Canvas, who: Person, centre: Points, k: float, z: float) -> None:
    x, y = float(centre[0]), float(centre[1])
    canvas.stroke(np.array([(x, y + 0.05 * k), (x, y + 0.1 * k)]), 0.05 * k, shade(who.skin, 0.85), z)
    canvas.polygon(ellipse(x, y, 0.056 * k, 0.072 * k), who.skin, z)
    if who.back and who.facing == 0:
        canvas.polygon(ellipse(x, y - 0.006 * k, 0.06 * k, 0.072 * k), who.hair, z)
        return
    cap = ellipse(x - who.facing * 0.018 * k, y - 0.02 * k, 0.06 * k, 0.058 * k)
    canvas.polygon(cap[cap[:, 1] <= y - 0.008 * k], who.hair, z)


def draw_rider(canvas: Canvas, who: Person, x: float, z: float, facing: int, squeeze: float) -> None:
    """A person on a bicycle that stands at (x, z). `squeeze` is the bicycle's visible share of length."""
    k = canvas.camera.pixels_per_metre(z)

    def at(*uv: tuple[float, float]) -> Points:
        return canvas.camera.project(np.array([(x + facing * u * squeeze, v, z) for u, v in uv]))

    for knee, foot, tone in (((0.22, 0.72), (0.02, 0.16), 0.75), ((0.28, 0.88), (0.12, 0.46), 1.0)):
        canvas.stroke(at((-0.22, 1.0), knee, foot), 0.14 * k, shade(who.bottom, tone), z)
    canvas.stroke(at((-0.2, 1.02), (0.1, 1.48)), 0.29 * k, who.top, z)
    canvas.stroke(at((0.1, 1.45), (0.3, 1.2), (0.46, 1.1)), 0.1 * k, shade(who.top, 0.85), z)
    head = at((0.2, 1.7))[0]
    canvas.polygon(_disc(head, 0.1 * k, 0.13 * k), who.skin, z)
    helmet = ellipse(float(head[0]), float(head[1]) - 0.04 * k, 0.13 * k, 0.11 * k)
    canvas.polygon(helmet[helmet[:, 1] <= head[1]], who.hair if who.back else who.top, z)


def draw_bicycle(canvas: Canvas, colour: Colour, x: float, z: float, facing: int, squeeze: float) -> None:
    """A bicycle seen from the side; `squeeze` 0.3..1 is the share of its length that the angle shows."""
    k = canvas.camera.pixels_per_metre(z)

    def at(*uv: tuple[float, float]) -> Points:
        return canvas.camera.project(np.array([(x + facing * u * squeeze, v, z) for u, v in uv]))

    for u in (-0.54, 0.54):
        wheel = _disc(at((u, 0.34))[0], 0.33 * k * squeeze, 0.33 * k, 24)
        canvas.stroke(np.concatenate([wheel, wheel[:1]]), 0.05 * k, TYRE, z)
        if 0.66 * k > 24:
            spokes = np.stack([wheel[:12:3], wheel[12::3]], axis=1)
            for spoke in spokes:
                canvas.stroke(spoke, 1, (150, 152, 156), z)
    frame = 0.045 * k
    canvas.stroke(at((-0.54, 0.34), (-0.06, 0.3), (0.4, 0.78), (-0.18, 0.8), (-0.06, 0.3)), frame, colour, z)
    canvas.stroke(at((-0.54, 0.34), (-0.18, 0.8)), frame * 0.8, shade(colour, 0.85), z)
    canvas.stroke(at((0.54, 0.34), (0.38, 0.95)), frame, colour, z)
    canvas.stroke(at((0.28, 1.04), (0.4, 0.99), (0.46, 1.04)), frame * 0.9, (50, 50, 54), z)
    canvas.stroke(at((-0.18, 0.8), (-0.22, 0.92)), frame * 0.8, (50, 50, 54), z)
    canvas.stroke(at((-0.34, 0.94), (-0.08, 0.93)), 0.07 * k, (40, 36, 36), z)
