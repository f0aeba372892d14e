"""A neighbour that disturbs a measured model in a controlled way. `python -m paredown.hosts.neighbour KIND`

cpu: multiplies matrices on one core, without a pause, as a second detector would. memory: copies 64 MB back
and forth. io: writes, syncs and reads a file of 8 MB. `video_neighbour.py` decodes a video.

Says "ready"; then works from "go" until "stop", which it answers with how many times it did its work and for
how long. The end of its input ends it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Work = Callable[[], object]
Made = Callable[[Path], tuple[Work, float]]
"""Makes the work in a folder of its own, and how many seconds lie between two times of it; 0 for no pause."""


def serve(made: Made) -> None:
    """Obey until the input ends."""
    with tempfile.TemporaryDirectory(prefix="paredown-") as folder:
        work, pause_s = made(Path(folder))
        _say("ready")
        for line in sys.stdin:
            if line.strip() == "go":
                stop = threading.Event()
                count: list[float] = [0, time.monotonic()]
                thread = threading.Thread(target=_repeat, args=(work, pause_s, stop, count), daemon=True)
                thread.start()
            elif line.strip() == "stop":
                stop.set()
                thread.join()
                _say(json.dumps({"times": count[0], "seconds": time.monotonic() - count[1]}))


def _repeat(work: Work, period_s: float, stop: threading.Event, count: list[float]) -> None:
    due = time.monotonic()
    while not stop.is_set():
        work()
        count[0] += 1
        due += period_s
        if period_s:
            stop.wait(max(0.0, due - time.monotonic()))


def _cpu(folder: Path) -> tuple[Work, float]:
    values = np.random.default_rng(0).random((192, 192), dtype=np.float32)
    return lambda: values @ values, 0.0


def _memory(folder: Path) -> tuple[Work, float]:
    source, target = np.ones(2**24, np.float32), np.zeros(2**24, np.float32)
    return lambda: np.copyto(target, source), 0.0


def _io(folder: Path) -> tuple[Work, float]:
    path, data = folder / "io", os.urandom(2**23)

    def work() -> int:
        with path.open("wb", buffering=0) as file:
            file.write(data)
            os.fsync(file.fileno())
        return len(path.read_bytes())

    return work, 0.0


KINDS: dict[str, Made] = {
    "cpu": _cpu,
    "memory": _memory,
    "io": _io,
}


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        if os.environ.get(name) != "1":  # read when numpy is loaded: begin again with one thread
            os.environ[name] = "1"
            os.execv(sys.executable, [sys.executable, "-P", "-m", "paredown.hosts.neighbour", *sys.argv[1:]])
    serve(KINDS[sys.argv[1]])
