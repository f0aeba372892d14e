"""What the process of a model needs: load time cold and warm, peak memory of the model and of the
pipeline."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown._measure.timing.lock import TimingLock
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
    loads = _Loads()
    with TimingLock(host, progress):
        for _ in progress(range(_TIMES), "loading", total=_TIMES):
            loads.empty_cache(_program(host, "paredown.hosts.page_cache", files))
            for kept in (loads.cold_s, loads.warm_s):
                with WorkerProcess(
                    host, artifact, str(job["runtime"]), feeds, threads=used, timeout_s=TIMEOUT_S
                ) as worker:
                    loaded = worker.load()
                    kept.append(loaded["load_s"])
                    answer = {**loaded, **worker.run(2)}
    quantities = [
        *loads.quantities(),
        Quantity.listed("size_bytes", artifact.size_bytes),
        Quantity.listed("peak_memory_bytes", answer["peak_bytes"]),
        Quantity.listed("model_memory_bytes", answer["peak_bytes"] - answer["before_bytes"]),
    ]
    data = pickle.dumps((card, tuple(inputs), _jpeg(image)))
    head = {**job, "sha256": artifact.sha256, "size_bytes": artifact.size_bytes, "bytes": len(data)}
    able = host.with_modules([RUNTIMES[place.runtime], cast(ModuleType, FAMILIES[card.family]).__name__])
    peak = _program(able, "paredown._measure.timing.pipeline", (), json.dumps(head).encode() + b"\n" + data)
    quantities.append(Quantity.listed("pipeline_memory_bytes", peak["peak_bytes"]))
    return Footprint(tuple(quantities), "" if loads.why else loads.how, loads.why)


@dataclass
class _Loads:
    """Seconds of loads whose file had to be read first, and of those behind them. how: the page cache was
    emptied; why: that says nothing."""

    cold_s: list[float] = field(default_factory=list)
    warm_s: list[float] = field(default_factory=list)
    how: str = ""
    why: str = ""

    def empty_cache(self, told: Mapping[str, Any]) -> None:
        """Takes in what the program says that empties the cache."""
        self.how, cached = str(told["how"]), told["cached"]
        if cached is None:
            self.why = f"{self.how}, and this file system does not tell whether it did"
        elif cached > _STILL_CACHED:
            self.why = f"{self.how}, and {100 * cached:.0f} % of it stayed in the page cache"

    def quantities(self) -> list[Quantity]:
        warm = Quantity.listed("load_s", samples=tuple(self.warm_s))
        return (
            [warm]
            if self.why
            else [warm, Quantity.listed("load_cold_s", samples=tuple(self.cold_s), ci=self.how)]
        )


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def _program(host: Host, module: str, arguments: Sequence[str] = (), given: bytes = b"") -> dict[str, Any]:
    """What a program of the host answers, one JSON object. Raises TargetError."""
    process = host.spawn(module, list(arguments))
    found: dict[str, Any] = answer_of(process, f"{module} failed on {host.name}", TIMEOUT_S, given)
    return found
