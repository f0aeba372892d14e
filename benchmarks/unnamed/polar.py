"""Centres and boxes in polar form (logarithm of half the diagonal, its angle) of a grid of five axes."""

import numpy as np


def decode(outputs, size):
    polar = next(a for a in outputs.values() if a.ndim == 5).reshape(-1, 4)
    logits = next(a for a in outputs.values() if a.ndim == 3)[0]
    half = np.exp(polar[:, 2:3]) * np.stack([np.cos(polar[:, 3]), np.sin(polar[:, 3])], axis=1)
    boxes = np.concatenate([polar[:, :2] - half, polar[:, :2] + half], axis=1)
    scores = 1 / (1 + np.exp(-logits))
    scores = scores[:, :1] * scores[:, 1:]
    return boxes, scores.max(axis=1), scores.argmax(axis=1)
