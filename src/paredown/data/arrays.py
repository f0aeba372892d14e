"""A data set from arrays that are in memory already."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.errors import DataError
from paredown.sample import Dataset, Sample, Truth


def from_arrays(
    images: Sequence[NDArray[np.uint8]],
    truths: Sequence[Truth] | None = None,
    classes: Sequence[str] = (),
    name: str = "arrays",
) -> Dataset:
    """A Dataset of (H, W, 3) uint8 RGB images; `truths` holds one truth or None for each: `Labels`, a class
    index, or what another task knows, with its class indices as `classes`.

    Raises: DataError where shapes, counts or class indices do not fit.
    """
    if len(images) == 0:
        raise DataError("no image in a data set of arrays")
    if truths is not None and len(truths) != len(images):
        raise DataError(
            "truths do not fit the images", got=f"{len(truths)} truths", expected=f"{len(images)}"
        )
    width = len(str(len(images) - 1))
    samples = tuple(
        _sample(f"{i:0{width}d}", image, None if truths is None else truths[i], len(classes))
        for i, image in enumerate(images)
    )
    return Dataset(name, "arrays", name, tuple(classes), samples)


def _sample(name: str, image: NDArray[np.uint8], truth: Truth, n_classes: int) -> Sample:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise DataError(
            f"image {name} is no RGB image", got=f"{image.shape} {image.dtype}", expected="(H, W, 3) uint8"
        )
    said: Any = getattr(truth, "classes", truth)
    indices: Any = [] if truth is None else np.atleast_1d(said)
    if n_classes and any(not 0 <= int(i) < n_classes for i in indices):
        raise DataError(f"a class index of image {name} is out of range", expected=f"0 to {n_classes - 1}")
    if not np.isfinite(getattr(truth, "boxes", 0.0)).all():
        raise DataError(f"a box of image {name} is not finite")
    fixed = image.copy()
    fixed.setflags(write=False)
    return Sample(name, fixed.copy, partial(_sha256, fixed), truth)


def _sha256(image: NDArray[np.uint8]) -> str:
    return hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()
