"""Trials that were never run: a recipe, what it loses, and the rounds it was timed in."""

from __future__ import annotations

from paredown.measurement import Doubt, Measurement, Quantity, Trial

BUSY = Doubt("busy", "other processes used 1.4 of 2 cores meanwhile", 0.7, unfit=True)


def trial(
    recipe: str,
    accuracy: float = 0.4,
    ratio: tuple[float, float, float] | None = (1.0, 0.99, 1.01),
    *,
    ms: float = 60.0,
    size: float = 10e6,
    metric: str = "map50_95",
    drop: Quantity | None = None,
    doubts: tuple[Doubt, ...] = (),
    beside: bool = True,
) -> Trial:
    """ratio: value, low, high; None: not timed. ms: as timed. beside: float's latency beside it was kept."""
    quantities = [Quantity(metric, accuracy, "", "higher"), Quantity("size_bytes", size, "bytes", "lower")]
    if ratio is not None:
        value, low, high = ratio
        quantities += [
            Quantity("latency_s", ms / 1e3, "s", "lower"),
            Quantity("latency_ratio", value, "ratio", "lower", "derived", low=low, high=high),
        ]
        quantities += [Quantity("float_latency_s", ms / 1e3 / value, "s", "lower")] if beside else []
    quantities += [drop] if drop is not None else []
    measured = Measurement("sha", "local", {}, tuple(quantities), doubts=doubts)
    return Trial(recipe, recipe, "sha", None, "local", 0, measured)


def yolo11n() -> tuple[Trial, Trial]:
    """As it happened: float took 200 ms in its own trial; int8 348 ms when the machine was slow, where float
    took 387 ms. It is faster."""
    lost = Quantity("map50_95_drop", 0.42, "points", "lower", "derived", low=0.1, high=0.8)
    float_model = trial("float", 0.390, (1.0, 0.99, 1.01), ms=200.0)
    return float_model, trial("int8", 0.386, (0.9, 0.88, 0.92), ms=348.0, size=3e6, drop=lost)
