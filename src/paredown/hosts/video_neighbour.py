"""A neighbour that decodes 1920x1080 MPEG-4 at 30 frames a second. `python -m paredown.hosts.video_neighbour`

In a file of its own, since it alone needs OpenCV on the machine.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from paredown.hosts.neighbour import Work, serve

FRAMES_PER_S = 30
_CLIP_FRAMES = 15


def video(folder: Path) -> tuple[Work, float]:
    """Frame after frame of a short clip of moving colours, over and over."""
    cv2.setNumThreads(1)
    path, size = str(folder / "clip.mp4"), (1920, 1080)
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), float(FRAMES_PER_S), size)
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


if __name__ == "__main__":
    serve(video)
