"""Distances to four sides, class logits and centreness of three grids, channels last."""

import numpy as np


def decode(outputs, size):
    found = []
    for sides in (a[0] for a in outputs.values() if a.shape[-1] == 4):
        same = [a[0] for a in outputs.values() if a.shape[1:3] == sides.shape[:2]]
        logits, centre = (next(a for a in same if a.shape[-1] == n) for n in (80, 1))
        y, x = np.mgrid[: len(sides), : len(sides)] + 0.5
        corners = np.stack([x, y, x, y], axis=-1) + sides * [-1, -1, 1, 1]
        scores = np.sqrt(1 / (1 + np.exp(-logits)) / (1 + np.exp(-centre)))
        found.append((corners.reshape(-1, 4) * size[0] / len(sides), scores.reshape(-1, 80)))
    boxes, scores = (np.concatenate(part) for part in zip(*found, strict=True))
    return boxes, scores.max(axis=1), scores.argmax(axis=1)
