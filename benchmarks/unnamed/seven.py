"""Seven numbers a row: a person's score, the background's, a car's, and the corners as fractions."""

import numpy as np


def decode(outputs, size):
    (rows,) = outputs.values()
    scores = rows[0][:, [0, 2]]
    boxes = rows[0][:, 3:] * [size[1], size[0], size[1], size[0]]
    return boxes, scores.max(axis=1), np.array([0, 2])[scores.argmax(axis=1)]
