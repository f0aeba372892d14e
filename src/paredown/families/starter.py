"""A decode file to begin with: what each output looks like, and what the function must give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from paredown.printable import printable

_HEAD = '''"""Reads the answer of {name}: see docs/unknown_model.md.

outputs: name -> numpy array, as the model gives them. size: (height, width) of the model's input, in pixels.
TASK says what decode gives. All in pixels of the input, scores 0..1, classes whole numbers from 0 on:
    "detect"     boxes (n, 4) x1 y1 x2 y2, scores (n,), classes (n,)
    "instances"  boxes, scores, classes, masks (n, h, w) over the whole input: true or false, or 0..1
    "pose"       boxes, scores, classes, points (n, P, 3): x, y and how sure
    "oriented"   boxes, scores, classes, corners (n, 4, 2)
    "segment"    the class of every pixel (h, w), or a score for each class (C, h, w)
Boxes of one class that overlap are taken out afterwards (`iou` of the card; 1.0 keeps them all), and what is
below 0.001 may be left out here. numpy may be used; the file runs in a process of its own.

{seen}
"""

import numpy as np

TASK = "detect"


def decode(outputs, size):
    height, width = size
'''
_TAIL = """
    # An example that runs and finds nothing. Take what applies:
    #   a sigmoid:            1 / (1 + np.exp(-x))
    #   centre to corners:    np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], axis=1)
    #   fractions to pixels:  boxes * np.array([width, height, width, height])
    #   a grid's columns:     y, x = np.mgrid[:rows, :columns]
    #   best class:           scores, classes = all_scores.max(axis=1), all_scores.argmax(axis=1)
    boxes = np.zeros((0, 4), np.float32)
    scores = np.zeros(0, np.float32)
    classes = np.zeros(0, np.int64)
    return boxes, scores, classes
"""


def starter(name: str, answers: Sequence[Mapping[str, Any]], on: str) -> str:
    """The text of a decode file for the outputs that the model gave to a few inputs. on: which those were."""
    lines, values = [f"The outputs, with the values seen on {on}:"], []
    for i, output in enumerate(answers[0]):
        arrays = [np.asarray(a[output]) for a in answers]
        shape = " x ".join(map(str, arrays[0].shape)) or "one number"
        lines.append(f"    {output!r}: {arrays[0].dtype} {shape}, {_range(arrays)}")
        values.append(f"    answer{i} = outputs[{output!r}]  # {shape}\n")
    seen = printable("\n".join(lines), keep_lines=True).replace("\\", "/").replace('"""', "'''")
    head = _HEAD.format(name=printable(name).replace("\\", "/").replace('"', "'"), seen=seen)
    return head + "".join(values) + _TAIL


def _range(arrays: Sequence[np.ndarray[Any, Any]]) -> str:
    every = np.concatenate([a.ravel() for a in arrays]).astype(np.float64)
    if not every.size:
        return "empty"
    low, middle, high = np.min(every), np.median(every), np.max(every)
    whole = ", whole numbers" if (every == np.rint(every)).all() else ""
    return f"{low:.4g} .. {high:.4g}, half of them below {middle:.4g}{whole}"
