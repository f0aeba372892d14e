"""What `paredown demo` runs on: an embedded detector and street scenes drawn from a seed, nothing fetched."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paredown.sample import Dataset

# Seeds of the four disjoint sets of scenes; tools/train_demo_detector.py trains and selects on the first two.
TRAINING_SEED, SELECTION_SEED, CALIBRATION_SEED, EVALUATION_SEED = 1, 2, 3, 4


def model_path() -> Path:
    """The embedded detector, made by tools/train_demo_detector.py (see detector.toml beside it)."""
    return Path(__file__).with_name("detector.onnx")


def evaluation_set(n: int = 120) -> Dataset:
    """Scenes to judge on, with their true boxes; the detector has seen none of them."""
    return _scenes(n, EVALUATION_SEED, "demo-evaluation")


def calibration_set(n: int = 60) -> Dataset:
    """Scenes to calibrate on; none of them is in the evaluation set."""
    return _scenes(n, CALIBRATION_SEED, "demo-calibration")


def _scenes(n: int, seed: int, name: str) -> Dataset:
    drawn: Dataset = importlib.import_module("paredown.demo.scenes").scenes(n, seed, name=name)
    return drawn
