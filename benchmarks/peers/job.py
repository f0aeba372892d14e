"""The job a driver is given, and what it says at the end. Standard library and numpy: every peer has those.

A driver is called as `python DRIVER.py JOB.json`. It quantizes `job.model` with `job.tensors`, writes a
model, and calls `job.done(path)`. What is timed is everything between reading the job and that call, so a
driver imports its packages before it reads the job.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np


class Tensors(Sequence[np.ndarray]):
    """The calibration inputs, one .npy file each, read when asked for."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(folder.glob("*.npy"))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: Any) -> Any:
        return np.load(self.files[index])

    def __iter__(self) -> Iterator[np.ndarray]:
        return (np.load(file) for file in self.files)


class Job:
    """model: the float ONNX file. input: its name. excluded: names of the decode tail's nodes.

    output: the path to write to, without suffix. settings: what this row of the table asks of the peer.
    """

    def __init__(self) -> None:
        told = json.loads(Path(sys.argv[1]).read_text())
        self.model: str = told["model"]
        self.input: str = told["input"]
        self.output: str = told["output"]
        self.excluded: list[str] = told["excluded"]
        self.settings: dict[str, Any] = told["settings"]
        self.tensors = Tensors(Path(told["calibration"]))
        self._started = time.perf_counter()

    def done(self, written: str, **more: object) -> None:
        """Says what it took: seconds, the most memory this process held, and which file it wrote."""
        seconds = time.perf_counter() - self._started
        status = Path("/proc/self/status").read_text()
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024
        print(json.dumps({"seconds": seconds, "peak_bytes": peak, "model": written, **more}))
