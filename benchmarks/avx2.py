"""What 8-bit weights cost on x86 without VNNI, and that 7-bit weights avoid it: accuracy on an emulated CPU.

    python benchmarks/avx2.py --material MATERIAL            # needs qemu-user: apt-get install qemu-user

Each file runs on this machine and under the emulated CPU, in the same child process, on the same images. What
differs between the two is the CPU's arithmetic and nothing else. A detector takes seconds per image there, so
few images are judged: read the difference between two CPUs, not the accuracy. Models that are not named keep
the results of an earlier call.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from common import SUBJECTS, Loaded, arguments, load, read_rows, say, write
from emulated import HASWELL, Arrays, Running, emulator, running

import paredown
from paredown._measure.accuracy import accuracy, predict_all
from paredown.hosts import open_host
from paredown.metrics import headline
from paredown.model import Model, TensorSpec
from paredown.numerics.saturate import kernel_rows, share_at_risk

JUDGED = {"detect": 16, "classify": 100}  # images
STOCK = "ort-static-pc-minmax-tail"

Place = tuple[
    str | None, bool
]  # CPU, None for this machine's own; whether with the option against saturation
HERE: Place = (None, False)
PLACES: list[Place] = [HERE, (HASWELL, False), (HASWELL, True)]

FILES = {  # label -> recipe, the device it is made for, how many of the places it is tried on
    "int8 for x86-vnni": ("int8", "x86-vnni", 3),
    "int8 for x86-avx2": ("int8", "x86-avx2", 2),
    "ONNX Runtime's quantizer": (STOCK, "x86-vnni", 2),
}


@dataclass(frozen=True)
class OnCpu:
    """A model in a child process as a `Session` that keeps what it answered."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    process: Running
    answered: list[Arrays] = field(default_factory=list)

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        self.answered.append(self.process.run(feeds))
        return dict(self.answered[-1])


def main() -> int:
    """Exit code. Without the emulator the models are measured on this machine alone, and it says so."""
    models = ["resnet20_cifar10", "squeezenet1_1", "yolov8n"]
    args = arguments(__doc__, "avx2.json", models).parse_args()
    if open_host().facts().saturates:
        say("this CPU has no VNNI: its own figures are those of a saturating CPU")
    if not emulator():
        say(f"skipped {HASWELL}: qemu-x86_64 is not installed (apt-get install qemu-user)")
    rows = [row for row in read_rows(args.out) if row["model"] not in args.models]
    for name in args.models:
        loaded = load(args.material, name, args.images, args.eval or JUDGED[SUBJECTS[name].task])
        rows += _rows(loaded, args.images)
        write(args.out, rows, 1)
    return 0


def _rows(loaded: Loaded, images: int) -> list[dict[str, Any]]:
    """One row for each file in each place, the float model first."""
    counts = {"model": loaded.name, "images": images, "judged": len(loaded.judged)}
    base, _ = _measured(loaded, loaded.model, HERE)
    rows = [{**counts, "label": "float", **base}]
    for label, (recipe, made_for, places) in FILES.items():
        made = paredown.compress(loaded.model, recipe, loaded.calibration, target=made_for).model
        what = {"label": label, "recipe": recipe, "made_for": made_for, "pairs_at_risk": _risk(made)}
        here: list[Arrays] = []
        for place in PLACES[:places] if emulator() else [HERE]:
            found, answered = _measured(loaded, made, place)
            here = here or answered
            found |= {"points_lost": 100 * (base["accuracy"] - found["accuracy"])}
            found |= {"difference": _difference(here, answered)}
            rows.append({**counts, **what, **found})
            say(f"{loaded.name}: {label} on {place}: {found}")
    return rows


def _measured(loaded: Loaded, model: Model, place: Place) -> tuple[dict[str, Any], list[Arrays]]:
    """The headline accuracy in one place, and the outputs behind it."""
    started = time.monotonic()
    with running(model.data, *place) as process:
        session = OnCpu(model.inputs, model.outputs, process)
        predictions = predict_all(session, loaded.card, loaded.judged)
    quantities, _ = accuracy(predictions, loaded.judged, loaded.card)
    name = headline(loaded.card.task, has_truth=True)
    value = next(q.value for q in quantities if q.name == name)
    where = {"cpu": place[0], "precise": place[1], "seconds": round(time.monotonic() - started, 1)}
    return {**where, "metric": name, "accuracy": value}, session.answered


def _difference(here: list[Arrays], there: list[Arrays]) -> float:
    """The outputs' root mean square difference, as a share of their own root mean square."""
    a, b = (np.concatenate([v.ravel() for answer in all_ for v in answer.values()]) for all_ in (here, there))
    return float(np.linalg.norm(a - b) / np.linalg.norm(a))


def _risk(model: Model) -> float:
    """The share of all pairs of int8 weights that some activations saturate."""
    shares, sizes = [], []
    for tensor in onnx.load_from_string(model.data).graph.initializer:
        weight = onnx.numpy_helper.to_array(tensor)
        if weight.dtype == np.int8 and weight.ndim in (2, 4):
            matrix = kernel_rows(weight) if weight.ndim == 4 else weight
            if len(matrix) > 1:
                shares.append(share_at_risk(matrix))
                sizes.append(matrix.size)
    return float(np.average(shares, weights=sizes)) if sizes else 0.0


if __name__ == "__main__":
    sys.exit(main())
