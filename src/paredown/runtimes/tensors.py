"""What every runtime checks at its border: the feeds it is given and the names it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from paredown.errors import TargetError, UnknownName
from paredown.model import TensorSpec
from paredown.protocols import Array


def check_feeds(feeds: Mapping[str, Array], inputs: Sequence[TensorSpec]) -> None:
    """Nothing, or TargetError where a feed is missing, unknown, of another type or of another shape."""
    names = [spec.name for spec in inputs]
    for name in feeds:
        if name not in names:
            raise UnknownName("model input", name, names)
    for spec in inputs:
        if spec.name not in feeds:
            raise TargetError(
                f"no value for the model's input {spec.name!r}", got=", ".join(feeds) or "nothing"
            )
        value = feeds[spec.name]
        fits = len(value.shape) == len(spec.shape) and all(
            want is None or want == have for want, have in zip(spec.shape, value.shape, strict=True)
        )
        if not fits or value.dtype != np.dtype(spec.dtype):
            raise TargetError(
                f"the value for input {spec.name!r} does not fit",
                got=f"{value.dtype} {value.shape}",
                expected=f"{spec.dtype} {spec.shape}",
            )
