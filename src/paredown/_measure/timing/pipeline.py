"""The process of a whole pipeline: an image file's bytes to detections. `python -m
paredown._measure.timing.pipeline`

Reads a job as JSON on one line, then as many pickled bytes as it says (card, inputs, image bytes; its
parent's own), and answers with the peak of its memory. What it imports counts, since a program on the device
imports it too.
"""

from __future__ import annotations

import importlib
import json
import pickle
import sys
from pathlib import Path

import cv2
import numpy as np

from paredown.families import FAMILIES
from paredown.hosts.memory import peak_resident_bytes
from paredown.preprocessing.feeds import feed
from paredown.protocols import Artifact

_TIMES = 3


def main() -> None:
    """Decode, feed, infer and read the answer; then tell the peak."""
    job = json.loads(sys.stdin.buffer.readline())
    card, inputs, encoded = pickle.loads(sys.stdin.buffer.read(job["bytes"]))
    artifact = Artifact(tuple(map(Path, job["files"])), job["sha256"], job["size_bytes"])
    session = importlib.import_module(job["runtime"]).open(artifact, threads=job["threads"])
    family = FAMILIES[card.family]
    for _ in range(_TIMES):
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None  # our parent encoded it
        pixels = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
        feeds, frame = feed(pixels, card.preprocess, inputs)
        how = {"conf": card.conf, "iou": card.iou, "max_detections": card.max_detections}
        family.decode(session.run(feeds), card, frame, **how)
    json.dump({"peak_bytes": peak_resident_bytes()}, sys.stdout)


if __name__ == "__main__":
    main()
