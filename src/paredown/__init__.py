"""Pare a trained vision model down for the device it must run on, and measure what came out.

    import paredown
    outcome = paredown.run("yolov8n.onnx", data="coco_eval/", calib="coco_calib/", out="runs/y8")
    print(outcome.verdict.sentence)

The names below are the public API. Each is imported when it is first used, so `import paredown` is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from paredown.no_telemetry import opt_out

if TYPE_CHECKING:
    from paredown._compress.recipe import Compressed, Recipe
    from paredown._measure.compare import Comparison
    from paredown.api import (
        Compared,
        Outcome,
        bundle,
        compare,
        compress,
        inspect,
        load,
        measure,
        read_dataset,
        report,
        run,
        target,
    )
    from paredown.card import Card, Preprocess
    from paredown.detections import ClassScores, Detections
    from paredown.errors import ParedownError
    from paredown.measurement import Measurement, Quantity, Trial
    from paredown.model import Model
    from paredown.sample import Dataset, Labels, Sample
    from paredown.study.best import Verdict
    from paredown.study.limits import Limits
    from paredown.study.options import Options
    from paredown.targets import Target
    from paredown.torch_export import from_torch
    from paredown.torch_train import to_torch, write_back

opt_out()  # before anything loads a runtime

__version__ = "0.1.0"

_VERBS = (
    "bundle",
    "compare",
    "compress",
    "inspect",
    "load",
    "measure",
    "read_dataset",
    "report",
    "run",
    "target",
)
_HOME = dict.fromkeys((*_VERBS, "Compared", "Outcome"), "paredown.api") | {
    "Card": "paredown.card",
    "ClassScores": "paredown.detections",
    "Comparison": "paredown._measure.compare",
    "Compressed": "paredown._compress.recipe",
    "Dataset": "paredown.sample",
    "Detections": "paredown.detections",
    "Labels": "paredown.sample",
    "Limits": "paredown.study.limits",
    "Measurement": "paredown.measurement",
    "Model": "paredown.model",
    "Options": "paredown.study.options",
    "ParedownError": "paredown.errors",
    "Preprocess": "paredown.card",
    "Quantity": "paredown.measurement",
    "Recipe": "paredown._compress.recipe",
    "Sample": "paredown.sample",
    "Target": "paredown.targets",
    "Trial": "paredown.measurement",
    "Verdict": "paredown.study.best",
    "from_torch": "paredown.torch_export",
    "to_torch": "paredown.torch_train",
    "write_back": "paredown.torch_train",
}

__all__ = [
    "Card",
    "ClassScores",
    "Compared",
    "Comparison",
    "Compressed",
    "Dataset",
    "Detections",
    "Labels",
    "Limits",
    "Measurement",
    "Model",
    "Options",
    "Outcome",
    "ParedownError",
    "Preprocess",
    "Quantity",
    "Recipe",
    "Sample",
    "Target",
    "Trial",
    "Verdict",
    "bundle",
    "compare",
    "compress",
    "from_torch",
    "inspect",
    "load",
    "measure",
    "read_dataset",
    "report",
    "run",
    "target",
    "to_torch",
    "write_back",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'paredown' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
