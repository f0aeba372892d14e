"""A study of several models that never ran, with as many trials as asked for, to draw pages from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from made_up_story import story, verdict

from paredown._report import Story
from paredown._report.several.stories import Stories
from paredown.analyze.kept import Kept
from paredown.measurement import Measurement, Quantity, Trial
from paredown.study.index import Entry, Index
from paredown.study.published import Figures, Published

IMAGES = tuple(f"{i:012}.jpg" for i in range(197))
MODELS = {  # name: mAP, ms, MB, watts
    "ssd-mobilenet": (0.221, 38.0, 17.6, 3.8), "ssdlite": (0.232, 32.0, 8.9, 3.4),
    "yolov5s": (0.374, 142.0, 13.7, 9.2), "efficientdet": (0.336, 89.0, 15.3, 6.1),
    "nanodet": (0.205, 21.0, 3.8, 2.1),
}  # fmt: skip


def stories(trials: int = 6, models: int = 3, *, seeds: int = 1, fps: float | None = 30.0) -> Stories:
    """trials: of each model, the float model among them."""
    names = [*MODELS][:models]
    labels = {(m, s): m if s == 0 else f"{m}-seed{42 + s}" for m in names for s in range(seeds)}
    entries = tuple(
        Entry(label, m, "local", "local", "local", 42 + s, "finished", has_report=True)
        for (m, s), label in labels.items()
    )
    skipped = Entry("missing", "missing", "local", "local", "local", 42, "skipped", "its model is not there")
    index = Index(
        "Five detectors", "Made up to draw a page.", "paredown study C.toml --out runs/c", "2026-11-29",
        tuple(42 + s for s in range(seeds)), (*entries, skipped), (PUBLISHED,), finished=True,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 0.012, 2000)
    parts = {label: _part(m, 42 + s, trials, rng, shared) for (m, s), label in labels.items()}
    return Stories(index, parts, fps)


PUBLISHED = Published(
    "Five detectors on a small board, 2026", data="COCO val2017, 5,000 images", board="Jetson Nano",
    runtime="TensorRT 8.4", differs=("Power was read every 100 ms there, here there is no sensor.",),
    figures=(
        Figures("SSD-MobileNetV2, FP32", {"map50": 0.401, "latency_s": 0.038}, "ssd-mobilenet"),
        Figures("SSD-MobileNetV2, PTQ", {"map50": 0.376, "latency_s": 0.011}, "ssd-mobilenet", "recipe-1"),
        Figures("XNOR-Net", {"map50": 0.2}, how="simulated"),
    ),
)  # fmt: skip


def _part(name: str, seed: int, n: int, rng: np.random.Generator, shared: np.ndarray) -> Story:
    ap, ms, mb, watts = MODELS[name]
    trials, kept = [], {}
    for i in range(n):
        recipe = "float" if i == 0 else f"recipe-{i}"
        lost = 0.0 if i == 0 else 0.002 * i * (1 + 0.3 * rng.random())
        ratio = 1.0 if i == 0 else 0.35 + 0.5 * rng.random()
        size = mb * (1.0 if i == 0 else 0.2 + 0.1 * rng.random())
        made = _trial(name, recipe, seed, (max(ap - lost, 0.01), ms, ratio, size, watts), rng)
        trials.append(made)
        value = made.measurement.value("map50_95")
        own = rng.normal(0, 0.002, 2000)
        kept[made.key] = Kept(
            "detect", "truth", "map50_95", value, value + shared + own, rng.random(197), IMAGES, "x"
        )
    told = story()
    model = replace(told.model, name=f"{name}.onnx")
    return replace(
        told, title=name, model=model, trials=tuple(trials), kept=kept,
        verdict=verdict(trials, "recipe-1" if n > 1 else "float"), pictures_of="recipe-1", doubts=(),
        stock=(),
    )  # fmt: skip


def _trial(name: str, recipe: str, seed: int, figures: tuple[float, ...], rng: np.random.Generator) -> Trial:
    ap, ms, ratio, mb, watts = figures
    joules = watts * ms * ratio / 1e3
    quantities = (
        Quantity("map50_95", ap, "", "higher", low=ap - 0.02, high=ap + 0.02),
        Quantity("map50", 1.5 * ap, "", "higher"),
        Quantity.listed("latency_s", ms * ratio / 1e3, low=ms * ratio * 0.98e-3, high=ms * ratio * 1.02e-3),
        Quantity.listed("latency_ratio", ratio, low=ratio * 0.98, high=ratio * 1.02),
        Quantity.listed("size_bytes", mb * 1e6),
        Quantity.listed("peak_memory_bytes", 60e6 + mb * 4e6),
        Quantity.listed("loaded_power_w", watts * (0.8 + 0.1 * rng.random())),
        Quantity.listed("energy_j", joules),
        Quantity.listed("accuracy_per_j", 100 * ap / joules),
    )
    measured = Measurement("cd" * 32, "local", {"cpu": "Cortex-A76", "cores_usable": 4}, quantities)
    seconds = {} if recipe == "float" else {"compress": 5 + 90 * rng.random()}
    return Trial(recipe, recipe, "ab" * 32, f"models/{recipe}.onnx", "local", seed, measured, seconds=seconds,
                 model=f"{name}.onnx")  # fmt: skip
