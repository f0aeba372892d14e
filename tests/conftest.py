"""Fixtures that several shelves use."""

from __future__ import annotations

import atexit
import os
import tempfile
from functools import partial
from pathlib import Path

import pytest

import promptables
import toys
from paredown._measure.timing import latency
from paredown._measure.timing.interleaved import TimingPlan
from paredown.hosts.timing_lock import FILE
from toys import Toy

# A test process for each core (make test): threads of torch that wait for each other cost four times as much.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if "PAREDOWN_MATERIAL" in os.environ:  # tests run scripts elsewhere: a relative path would lead nowhere there
    os.environ["PAREDOWN_MATERIAL"] = str(Path(os.environ["PAREDOWN_MATERIAL"]).resolve())

# Whole jobs of tests time for a third of the usual three seconds a model: nobody looks at their latencies.
latency.TimingPlan = partial(TimingPlan, min_seconds=1.0)  # type: ignore[misc, assignment]

# Tests run beside each other and look at no absolute time: they do not wait for each other's timings.
_LOCK = Path(tempfile.gettempdir(), f"paredown-tests-{os.getpid()}.lock")
os.environ[FILE] = str(_LOCK)
atexit.register(_LOCK.unlink, missing_ok=True)


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    folder = tmp_path_factory.mktemp("toy")
    model = toys.write_detector(folder / "toy.onnx")
    for name, seed in (("data", 1), ("calib", 2)):
        toys.write_images(folder / name / "images", 12, seed)
    toys.write_truth(folder / "data", model)
    return Toy(model, folder / "data", folder / "calib")


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> promptables.Pair:
    folder = tmp_path_factory.mktemp("promptable")
    data = promptables.write_scenes(folder / "data", 8, 900_000)
    calib = promptables.write_scenes(folder / "calib", 8, 800_000)
    return promptables.Pair(promptables.write_pair(folder), data, calib)
