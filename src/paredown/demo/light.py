"""Light, weather, and what a camera does to a picture: glow, rain, blur, exposure, grain."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """The light of one scene. Colours are R G B 0..255; `ambient` multiplies every surface.

    density: share of haze per metre. sun: (metres of shadow per metre of height to the right, away), or None
    for a covered sky. lamps: street lamps, headlights and windows are lit. rain: streaks per picture.
    """

    name: str
    sky_top: Rgb
    sky_low: Rgb
    ambient: Rgb
    haze: Rgb
    density: float
    shadow: float = 0.35  # how dark a shadow is, 0..1
    sun: tuple[float, float] | None = None
    lamps: bool = False
    wet: bool = False
    rain: int = 0


LIGHTS: tuple[Light, ...] = (
    Light(
        "day", (88, 146, 214), (196, 221, 240), (1, 1, 1), (196, 214, 230), 0.004,
        shadow=0.42, sun=(0.7, 0.5),
    ),
    Light(
        "overcast", (158, 168, 178), (205, 210, 214), (0.86, 0.88, 0.9), (196, 202, 208), 0.008,
        shadow=0.22,
    ),
    Light(
        "dusk", (62, 66, 120), (246, 158, 96), (0.8, 0.6, 0.56), (214, 144, 112), 0.008,
        shadow=0.3, sun=(1.8, 0.6), lamps=True,
    ),
    Light(
        "night", (12, 16, 38), (44, 46, 74), (0.46, 0.47, 0.6), (46, 48, 72), 0.008,
        shadow=0.25, lamps=True,
    ),
    Light(
        "fog", (186, 192, 196), (204, 208, 210), (0.82, 0.84, 0.86), (200, 204, 206), 0.034,
        shadow=0.15,
    ),
    Light(
        "rain", (110, 120, 132), (164, 172, 180), (0.66, 0.7, 0.76), (156, 164, 172), 0.014,
        shadow=0.2, lamps=True, wet=True, rain=260,
    ),
)  # fmt: skip
HOW_OFTEN = (0.3, 0.17, 0.16, 0.14, 0.1, 0.13)


def draw_light(rng: np.random.Generator) -> Light:
    return LIGHTS[int(rng.choice(len(LIGHTS), p=HOW_OFTEN))]


def add_glow(image: NDArray[np.uint8], glow: NDArray[np.uint8], wet: bool) -> NDArray[np.uint8]:
    """The picture with the halo of its lamps, drawn out downwards where the road is wet."""
    halo = cv2.addWeighted(
        cv2.GaussianBlur(glow, (0, 0), 2.0), 0.6, cv2.GaussianBlur(glow, (0, 0), 6.0), 0.8, 0
    )
    if wet:
        streak = cv2.blur(glow, (3, 31))
        halo = cv2.add(halo, cv2.addWeighted(streak, 0.5, streak, 0.0, 0))
    height, width = image.shape[:2]
    added = cv2.add(image, cv2.resize(halo, (width, height), interpolation=cv2.INTER_LINEAR))
    return np.asarray(added, np.uint8)


def add_rain(image: NDArray[np.uint8], streaks: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture behind `streaks` bright streaks of rain, all at one slant."""
    height, width = image.shape[:2]
    layer = image.copy()
    start = rng.uniform((0, 0), (width, height), (streaks, 2))
    length = rng.uniform(0.015, 0.05, streaks) * height
    slant = rng.uniform(-0.25, 0.25)
    end = start + np.stack([slant * length, length], axis=1)
    lines = np.rint(np.stack([start, end], axis=1) * 16).astype(np.int32)
    cv2.polylines(layer, list(lines), False, (205, 212, 220), 1, cv2.LINE_AA, 4)
    return np.asarray(cv2.addWeighted(image, 0.62, layer, 0.38, 0), np.uint8)


def expose(image: NDArray[np.uint8], light: Light, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture as a small camera gives it: exposure, contrast, colour cast, blur, grain."""
    image = _tone(image, rng)
    blur = rng.uniform(0.0, 1.1)
    if blur > 0.45:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), blur), np.uint8)
    dark = light.lamps and not light.rain
    strength = rng.uniform(0.02, 0.06) if dark else rng.uniform(0.0, 0.035)
    # The sum of two uniform bytes is spread triangularly: a good enough grain, ten times faster than normal.
    raw = rng.integers(0, 256, (2, *image.shape), dtype=np.uint8)
    grain = cv2.addWeighted(raw[0], strength, raw[1], strength, 0)
    mean = round(255 * strength)
    return np.asarray(cv2.subtract(cv2.add(image, grain), np.array((mean, mean, mean, 0.0))), np.uint8)


def _tone(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    gain = rng.uniform(0.85, 1.18)
    gamma = rng.uniform(0.85, 1.18)
    cast = rng.uniform(0.96, 1.04, 3)
    level = np.arange(256)[:, None] / 255.0
    table = np.rint(np.clip(gain * cast * level**gamma, 0, 1) * 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table[:, None, :]), np.uint8)
