"""What the process of a model needs: load time cold and warm, peak memory of the model and of the
pipeline."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown._measure.timing.process import WorkerProcess
from paredown._measure.timing.rounds import TIMEOUT_S
from paredown.card import Card
from paredown.endurance import Footprint
from paredown.families import FAMILIES
from paredown.measurement import Quantity
from paredown.model import TensorSpec
from paredown.program_answer import answer_of
from paredown.protocols import Array, Host, Progress, silent
from paredown.runtimes import RUNTIMES
from paredown.targets import Target

_TIMES = 3
_STILL_CACHED = 0.1  # share of a file, above which it was not put out of the cache


def footprint(
    model: Path,
    place: Target,
    feeds: Mapping[str, Array],
    card: Card,
    inputs: Sequence[TensorSpec],
    image: NDArray[np.uint8],
    *,
    threads: int = 0,
    progress: Progress = silent,
) -> Footprint:
    """Loads in fresh processes, cold and warm in turns; then one with the model alone and one with all.

    image: (H, W, 3), RGB, that goes through the pipeline as a JPEG file. Raises TargetError, OutOfMemory.
    """
    place.require_timing()
    host, used = place.host, place.used_threads(threads)
    artifact = place.build(model, model.parent)
    files = [host.put(file) for file in artifact.files]
    job = {"runtime": RUNTIMES[place.runtime], "threads": used, "files": files}
    cold_s: list[float] = []
    warm_s: list[float] = []
    answer: Mapping[str, float] = {}
    how = why = ""
    for _ in progress(range(_TIMES), "loading", total=_TIMES):
        told = _program(host, "paredown.hosts.page_cache", files)
        how, cached = str(told["how"]), told["cached"]
        for kept in (cold_s, warm_s):
            with WorkerProcess(
                host, artifact, str(job["runtime"]), feeds, threads=used, timeout_s=TIMEOUT_S
            ) as worker:
                loaded = worker.load()
                kept.append(loaded["load_s"])
                answer = {**loaded, **worker.run(2)}
        if cached is None:
            why = f"{how}, and this file system does not tell whether it did"
        elif cached > _STILL_CACHED:
            why = f"{how}, and {100 * cached:.0f} % of it stayed in the page cache"
    quantities = [
        Quantity.listed("load_s", samples=tuple(warm_s)),
        *([] if why else [Quantity.listed("load_cold_s", samples=tuple(cold_s), ci=how)]),
        Quantity.listed("size_bytes", artifact.size_bytes),
        Quantity.listed("peak_memory_bytes", answer["peak_bytes"]),
        Quantity.listed("model_memory_bytes", answer["peak_bytes"] - answer["before_bytes"]),
    ]
    data = pickle.dumps((card, tuple(inputs), _jpeg(image)))
    head = {**job, "sha256": artifact.sha256, "size_bytes": artifact.size_bytes, "bytes": len(data)}
    able = host.with_modules([RUNTIMES[place.runtime], cast(ModuleType, FAMILIES[card.family]).__name__])
    peak = _program(able, "paredown._measure.timing.pipeline", (), json.dumps(head).encode() + b"\n" + data)
    quantities.append(Quantity.listed("pipeline_memory_bytes", peak["peak_bytes"]))
    return Footprint(tuple(quantities), "" if why else how, why)


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def _program(host: Host, module: str, arguments: Sequence[str] = (), given: bytes = b"") -> dict[str, float]:
    """What a program of the host answers, one JSON object. Raises TargetError."""
    process = host.spawn(module, list(arguments))
    found: dict[str, float] = answer_of(process, f"{module} failed on {host.name}", TIMEOUT_S, given)
    return found
