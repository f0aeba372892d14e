"""Cars and buses: a side profile drawn out to a width, turned to any angle, painted face by face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paredown.demo.canvas import Canvas, Colour, Points
from paredown.demo.things import GLASS, PAINT, TYRE, pick, shade

Device = tuple[
    tuple[float, float], ...
]  # (share of the length from the middle, front > 0; share of the height)


@dataclass(frozen=True)
class Shape:
    """Geometry of a kind of vehicle. `glass` are the profile's edges that are windows front and back."""

    profile: Device
    glass: tuple[int, ...]
    windows: tuple[Device, ...]  # on each side
    wheels: tuple[float, ...]  # share of the length
    wheel_radius: float  # metres
    taper: float  # how much narrower the roof is, share of the width
    length: tuple[float, float]
    width: tuple[float, float]
    height: tuple[float, float]


SEDAN = Shape(
    profile=(
        (-0.5, 0.2), (-0.5, 0.52), (-0.47, 0.62), (-0.34, 0.66), (-0.2, 0.99),
        (0.08, 1.0), (0.25, 0.65), (0.46, 0.55), (0.5, 0.45), (0.5, 0.2),
    ),
    glass=(3, 5),
    windows=(
        ((-0.3, 0.67), (-0.19, 0.93), (-0.08, 0.94), (-0.08, 0.67)),
        ((-0.06, 0.67), (-0.06, 0.94), (0.07, 0.94), (0.2, 0.66)),
    ),
    wheels=(-0.31, 0.32), wheel_radius=0.32, taper=0.17,
    length=(4.1, 4.8), width=(1.72, 1.85), height=(1.38, 1.5),
)  # fmt: skip
HATCH = Shape(
    profile=(
        (-0.5, 0.18), (-0.5, 0.58), (-0.43, 0.94), (-0.37, 1.0),
        (0.08, 1.0), (0.24, 0.64), (0.46, 0.56), (0.5, 0.46), (0.5, 0.18),
    ),
    glass=(1, 4),
    windows=(
        ((-0.43, 0.64), (-0.38, 0.92), (-0.16, 0.94), (-0.16, 0.64)),
        ((-0.14, 0.64), (-0.14, 0.94), (0.07, 0.94), (0.19, 0.64)),
    ),
    wheels=(-0.32, 0.32), wheel_radius=0.33, taper=0.14,
    length=(3.6, 4.5), width=(1.68, 1.9), height=(1.45, 1.75),
)  # fmt: skip
BUS = Shape(
    profile=(
        (-0.5, 0.1), (-0.5, 0.45), (-0.5, 0.88), (-0.49, 0.98), (-0.47, 1.0),
        (0.47, 1.0), (0.5, 0.95), (0.5, 0.9), (0.5, 0.36), (0.5, 0.1),
    ),
    glass=(1, 7),
    windows=tuple(
        ((a, 0.44), (a, 0.84), (a + 0.125, 0.84), (a + 0.125, 0.44))
        for a in (-0.47, -0.332, -0.194, -0.056, 0.082, 0.22, 0.358)
    ),
    wheels=(-0.28, 0.33), wheel_radius=0.48, taper=0.03,
    length=(8.5, 11.5), width=(2.4, 2.55), height=(2.8, 3.2),
)  # fmt: skip


@dataclass(frozen=True)
class Vehicle:
    """One vehicle. yaw: direction of travel in the ground plane, 0 right, pi/2 away from the camera."""

    shape: Shape
    length: float
    width: float
    height: float
    paint: Colour
    yaw: float

    @staticmethod
    def random(rng: np.random.Generator, kind: str, yaw: float) -> Vehicle:
        shape = BUS if kind == "bus" else (SEDAN, HATCH)[int(rng.integers(2))]
        length, width, height = (rng.uniform(*r) for r in (shape.length, shape.width, shape.height))
        return Vehicle(shape, length, width, height, pick(rng, PAINT), yaw)

    def footprint(self) -> tuple[float, float]:
        """Half the room it takes along X and along Z, in metres."""
        c, s = abs(np.cos(self.yaw)), abs(np.sin(self.yaw))
        return (self.length * c + self.width * s) / 2, (self.length * s + self.width * c) / 2

    def place(self, x: float, z: float, local: Points) -> Points:
        """World points (n, 3) of local ones: (share of length, share of height, share of half width)."""
        along = local[:, 0] * self.length
        narrow = 1 - self.shape.taper * np.clip((local[:, 1] - 0.55) / 0.45, 0, 1)
        across = local[:, 2] * self.width / 2 * narrow
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        return np.stack(
            [x + along * c - across * s, local[:, 1] * self.height, z + along * s + across * c], axis=1
        )


def draw_vehicle(canvas: Canvas, it: Vehicle, x: float, z: float) -> None:
    """The vehicle standing at (x, z): underside, then the faces that look at the camera, far ones first."""
    base = it.place(
        x, z, np.array([(-0.46, 0.08, -0.9), (0.46, 0.08, -0.9), (0.46, 0.08, 0.9), (-0.46, 0.08, 0.9)])
    )
    top = base + np.array([0, it.height * 0.18, 0])
    for i in range(4):
        canvas.face(np.stack([base[i], base[(i + 1) % 4], top[(i + 1) % 4], top[i]]), (24, 24, 26))
    eye = np.array([0.0, canvas.camera.height, 0.0])
    middle = np.array([x, it.height * 0.5, z])
    faces = [(i, _strip(it, x, z, i)) for i in range(len(it.shape.profile) - 1)]
    seen = [
        (float(np.linalg.norm(p.mean(0) - eye)), i, p, n)
        for i, p in faces
        if (n := _looks(p, middle, eye)) is not None
    ]
    for side in (-1, 1):
        outline = it.place(x, z, np.array([(u, v, side) for u, v in it.shape.profile]))
        if (n := _looks(outline, middle, eye)) is not None:
            seen.append((float(np.linalg.norm(outline.mean(0) - eye)), 100 + side, outline, n))
    for _, i, points, normal in sorted(seen, key=lambda s: -s[0]):
        tone = 0.74 + 0.3 * max(0.0, float(normal[1])) + 0.1 * float(normal[0])
        if i in it.shape.glass:
            canvas.face(points, shade(it.paint, tone))
            canvas.face(points.mean(0) + (points - points.mean(0)) * 0.9, shade(GLASS, tone + 0.15))
            continue
        canvas.face(points, shade(it.paint, tone))
        if i >= 99:
            _side(canvas, it, x, z, i - 100, tone)
    _lights(canvas, it, x, z, eye)


def _strip(it: Vehicle, x: float, z: float, i: int) -> Points:
    (u1, v1), (u2, v2) = it.shape.profile[i], it.shape.profile[i + 1]
    return it.place(x, z, np.array([(u1, v1, -1), (u2, v2, -1), (u2, v2, 1), (u1, v1, 1)]))


def _looks(face: Points, middle: Points, eye: Points) -> Points | None:
    """The outward unit normal of a face that looks at the eye, or None."""
    centre = face.mean(0)
    normal = np.cross(face[1] - face[0], face[len(face) // 2] - face[0])
    normal = normal / (np.linalg.norm(normal) + 1e-9)
    if normal @ (centre - middle) < 0:
        normal = -normal
    return normal if normal @ (eye - centre) > 0 else None


def _side(canvas: Canvas, it: Vehicle, x: float, z: float, side: int, tone: float) -> None:
    def on_side(shape: Device, out: float = 1.0) -> Points:
        return it.place(x, z, np.array([(u, v, side * out) for u, v in shape]))

    project = canvas.camera.project
    panes = [project(on_side(w)) for w in it.shape.windows]
    lit = canvas.light.lamps and it.shape is BUS
    canvas.polygons(panes, (236, 214, 150) if lit else shade(GLASS, tone), z, lamp=lit)
    turn = np.arange(18) * (2 * np.pi / 18)
    r = it.shape.wheel_radius
    for u in it.shape.wheels:
        for size, colour in ((1.12, (22, 22, 24)), (1.0, TYRE), (0.56, (164, 168, 172))):
            rim = [
                (u + size * r / it.length * np.cos(t), (r + size * r * np.sin(t)) / it.height) for t in turn
            ]
            canvas.face(on_side(tuple((a, max(b, 0.0)) for a, b in rim), 1.005), colour)


def _lights(canvas: Canvas, it: Vehicle, x: float, z: float, eye: Points) -> None:
    """Head and tail lights, the number plate and, in the dark, their glow."""
    low, high = (0.16, 0.26) if it.shape is BUS else (0.42, 0.52)
    lit = canvas.light.lamps
    for end, colour in (
        (-1, (205, 28, 26) if not lit else (255, 60, 44)),
        (1, (226, 230, 226) if not lit else (255, 244, 214)),
    ):
        u = 0.502 * end
        out = it.place(x, z, np.array([(u, 0.3, 0.0)]))[0]
        ahead = np.array([np.cos(it.yaw), 0, np.sin(it.yaw)]) * end
        if ahead @ (eye - out) <= 0:
            continue
        plate = np.array([(u, 0.26, -0.28), (u, 0.26, 0.28), (u, 0.34, 0.28), (u, 0.34, -0.28)])
        canvas.face(it.place(x, z, plate), (224, 224, 214))
        for a in (-0.92, 0.56):
            corners = np.array([(u, low, a), (u, low, a + 0.36), (u, high, a + 0.36), (u, high, a)])
            points = it.place(x, z, corners)
            canvas.face(points, colour, lamp=lit)
            if lit:
                px, py = canvas.camera.project(points.mean(0))
                size = canvas.camera.pixels_per_metre(z) * (0.3 if end > 0 else 0.16)
                canvas.shine(float(px), float(py), size, shade(colour, 0.8))
