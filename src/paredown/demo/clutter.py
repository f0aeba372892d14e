"""Clutter that is nothing to detect, some of it with the outline of something that is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paredown.demo.canvas import Canvas, ellipse, upright
from paredown.demo.things import CLOTH, pick, shade

LEAVES = ((70, 112, 58), (92, 128, 60), (58, 94, 62), (138, 126, 52), (164, 104, 48))

Clutter = Callable[[Canvas, float, float, np.random.Generator], None]


def draw_tree(canvas: Canvas, x: float, z: float, rng: np.random.Generator) -> None:
    tall, k = rng.uniform(3.5, 6.5), canvas.camera.pixels_per_metre(z)
    foot, crown = canvas.camera.project(np.array([(x, 0, z), (x, tall * 0.68, z)]))
    canvas.stroke(np.stack([foot, crown]), 0.24 * k, (96, 74, 56), z)
    leaf = pick(rng, LEAVES)
    blobs = rng.normal(0, 1, (11, 3))
    blobs = blobs[np.argsort(-blobs[:, 1])]
    for i, (dx, dy, r) in enumerate(blobs):
        size = (0.85 + 0.25 * abs(r)) * k * tall / 5.5
        tone = 0.72 + 0.045 * i
        centre = crown + np.array([dx * 0.75, -(0.7 + dy * 0.55)]) * k
        canvas.polygon(ellipse(centre[0], centre[1], size, size * 0.85, 14), shade(leaf, tone), z)


def draw_lamp(canvas: Canvas, x: float, z: float, rng: np.random.Generator) -> None:
    k, arm = canvas.camera.pixels_per_metre(z), 1.1 if x < 0 else -1.1
    post = canvas.camera.project(
        np.array([(x, 0, z), (x, 5.4, z), (x + arm * 0.4, 5.75, z), (x + arm, 5.8, z)])
    )
    canvas.stroke(post, 0.13 * k, (70, 74, 78), z)
    bulb = post[-1]
    on = canvas.light.lamps
    canvas.polygon(
        ellipse(bulb[0], bulb[1], 0.3 * k, 0.12 * k), (255, 236, 190) if on else (190, 190, 184), z, lamp=on
    )
    if on:
        canvas.shine(float(bulb[0]), float(bulb[1]), 0.42 * k, (255, 214, 150))


def draw_sign(canvas: Canvas, x: float, z: float, rng: np.random.Generator) -> None:
    k = canvas.camera.pixels_per_metre(z)
    foot, head = canvas.camera.project(np.array([(x, 0, z), (x, 2.5, z)]))
    canvas.stroke(np.stack([foot, head]), 0.08 * k, (140, 142, 146), z)
    n = int(rng.choice((3, 4, 20)))
    turn = np.pi / 2 + np.arange(n) * (2 * np.pi / n)
    for size, colour in (
        (0.4, pick(rng, ((200, 40, 40), (36, 84, 168), (226, 186, 54)))),
        (0.28, (236, 236, 230)),
    ):
        canvas.polygon(
            np.stack([head[0] + size * k * np.cos(turn), head[1] - size * k * np.sin(turn)], 1), colour, z
        )


def draw_bin(canvas: Canvas, x: float, z: float, rng: np.random.Generator) -> None:
    colour = pick(rng, CLOTH)
    canvas.face(upright(x, z, [(-0.26, 0), (0.26, 0), (0.3, 1.0), (-0.3, 1.0)]), colour)
    canvas.face(upright(x, z, [(0.05, 0), (0.26, 0), (0.3, 1.0), (0.05, 1.0)]), shade(colour, 0.8))
    canvas.face(upright(x, z, [(-0.34, 1.0), (0.34, 1.0), (0.26, 1.16), (-0.26, 1.16)]), shade(colour, 0.65))


def draw_post_box(canvas: Canvas, x: float, z: float, rng: np.random.Generator) -> None:
    """A pillar with a round top and a slot: from far it has a person's outline."""
    k, colour = canvas.camera.pixels_per_metre(z), pick(rng, CLOTH)
    canvas.face(upright(x, z, [(-0.24, 0), (0.24, 0), (0.24, 1.35), (-0.24, 1.35)]), colour)
    top = canvas.camera.project(np.array([x, 1.35, z]))
    canvas.polygon(ellipse(top[0], top[1], 0.28 * k, 0.16 * k), shade(colour, 0.85), z)
    canvas.face(upright(x, z, [(-0.15, 1.0), (0.15, 1.0), (0.15, 1.08), (-0.15, 1.08)]), (30, 30, 30))


def draw_kiosk(canvas: Canvas, x: float, z: float, rng: np.random.Generator) -> None:
    """A stall with a window band: a vehicle's outline without wheels."""
    colour, wide = pick(rng, CLOTH), rng.uniform(0.9, 1.3)
    canvas.face(upright(x, z, [(-wide, 0), (wide, 0), (wide, 2.2), (-wide, 2.2)]), colour)
    canvas.face(
        upright(x, z, [(-wide * 0.8, 1.0), (wide * 0.8, 1.0), (wide * 0.8, 1.8), (-wide * 0.8, 1.8)]),
        (92, 104, 112),
    )
    canvas.face(
        upright(x, z, [(-wide * 1.15, 2.1), (wide * 1.15, 2.1), (wide, 2.5), (-wide, 2.5)]),
        shade(colour, 1.25),
    )


def draw_cone(canvas: Canvas, x: float, z: float, rng: np.random.Generator) -> None:
    canvas.face(upright(x, z, [(-0.22, 0), (0.22, 0), (0.22, 0.06), (-0.22, 0.06)]), (60, 56, 56))
    canvas.face(upright(x, z, [(-0.17, 0.06), (0.17, 0.06), (0.03, 0.72), (-0.03, 0.72)]), (232, 96, 36))
    canvas.face(upright(x, z, [(-0.12, 0.28), (0.12, 0.28), (0.08, 0.46), (-0.08, 0.46)]), (236, 232, 224))


def draw_bush(canvas: Canvas, x: float, z: float, rng: np.random.Generator) -> None:
    k, leaf = canvas.camera.pixels_per_metre(z), pick(rng, LEAVES)
    for i, (dx, dy) in enumerate(rng.uniform((-0.6, 0.2), (0.6, 0.75), (7, 2))):
        p = canvas.camera.project(np.array([x + dx, dy, z]))
        canvas.polygon(ellipse(p[0], p[1], 0.42 * k, 0.36 * k, 12), shade(leaf, 0.75 + 0.05 * i), z)


CLUTTER: tuple[Clutter, ...] = (
    draw_tree,
    draw_lamp,
    draw_sign,
    draw_bin,
    draw_post_box,
    draw_kiosk,
    draw_cone,
    draw_bush,
)
