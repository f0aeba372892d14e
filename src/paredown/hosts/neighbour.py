"""A neighbour that disturbs a measured model in a controlled way. `python -m paredown.hosts.neighbour KIND`

cpu: multiplies matrices on one core, without a pause, as a second detector would. memory: copies 64 MB back
and forth. io: writes, syncs and reads a file of 8 MB. video: decodes 1920x1080 at 30 frames a second.

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

FRAMES_PER_S = 30
_CLIP_FRAMES = 15


def main(kind: str) -> None:
    """Obey until the input ends."""
    with tempfile.TemporaryDirectory(prefix="paredown-") as folder:
        work, pause_s = KINDS[kind](Path(folder))
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


Work = Callable[[], object]


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


def _video(folder: Path) -> tuple[Work, float]:
    import cv2

    cv2.setNumThreads(1)
    path, size = str(folder / "clip.mp4"), (1920, 1080)
    code = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(path, code, float(FRAMES_PER_S), size)
    rng = np.random.default_rng(0)
    scene = cv2.resize(rng.integers(0, 255, (68, 120, 3), dtype=np.uint8), size)
    for i in range(_CLIP_FRAMES):
        writer.write(np.roll(scene, 16 * i, axis=1))
    writer.release()
    clip = [cv2.VideoCapture(path)]
    if not clip[0].read()[0]:
        raise SystemExit("this OpenCV neither writes nor reads MPEG-4 video")

    def work() -> None:
        if not clip[0].read()[0]:
            clip[0] = cv2.VideoCapture(path)

    return work, 1 / FRAMES_PER_S


KINDS: dict[str, Callable[[Path], tuple[Work, float]]] = {
    "cpu": _cpu,
    "memory": _memory,
    "io": _io,
    "video": _video,
}


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        if os.environ.get(name) != "1":  # read when numpy is loaded: begin again with one thread
            os.environ[name] = "1"
            os.execv(sys.executable, [sys.executable, "-P", "-m", "paredown.hosts.neighbour", *sys.argv[1:]])
    main(sys.argv[1])
