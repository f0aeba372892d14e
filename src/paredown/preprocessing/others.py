"""What the inputs beside the image are fed: values of the card, or the image again.

The bundle's `detect.py` carries this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.card import Preprocess
from paredown.errors import CardError
from paredown.model import TensorSpec

IMAGE = "image"  # said instead of values: the image goes into this input too


def fill(tensor: NDArray[Any], how: Preprocess, inputs: Sequence[TensorSpec]) -> dict[str, NDArray[Any]]:
    """A value for each input: the image (1, C, H, W) or (1, H, W, C), and what the card says of the others.

    Raises: CardError where nothing says what an input is fed, or the values do not fill it.
    """
    name = image_name(how, inputs)
    others = dict(how.others)
    feeds: dict[str, NDArray[Any]] = {}
    for spec in inputs:
        if spec.name == name or others.get(spec.name) == IMAGE:
            feeds[spec.name] = _image(tensor, spec)
        elif spec.name in others:
            feeds[spec.name] = filled(spec, others[spec.name])
    unsaid = [spec for spec in inputs if spec.name not in feeds]
    if unsaid:
        raise CardError(
            f"nothing says what {len(unsaid)} of the model's {len(inputs)} inputs are fed",
            got=", ".join(map(str, unsaid)),
            expected=f"the image in {name!r}, values for the others",
            hint=f"{lines_to_write(unsaid)}\n    or --inputs FILE.npz with an array for each, by name",
        )
    return feeds


def _image(tensor: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    if len(spec.shape) == 3:
        return tensor.reshape(tensor.shape[1:])
    if spec.shape and spec.shape[0] not in (None, 1):
        single = "x".join("?" if d is None else str(d) for d in (1, *spec.shape[1:]))
        raise CardError(
            "the model takes several images at once, and here they go in one by one",
            got=str(spec),
            hint=f"--input {single} makes it one, where the graph allows it; else export it so",
        )
    return tensor


def image_name(how: Preprocess, inputs: Sequence[TensorSpec]) -> str:
    """The name of the input that takes the image."""
    return how.image or inputs[0].name


def lines_to_write(unsaid: Sequence[TensorSpec]) -> str:
    """What a card says of those inputs: one number for all values, or as many as there are."""
    lines = [
        f'      "{s.name}" = 0.0  # {s.dtype} {"x".join("?" if d is None else str(d) for d in s.shape)}'
        for s in unsaid
    ]
    return "\n".join(("write in a card.toml beside the model", "      [input.others]", *lines))


def filled(spec: TensorSpec, said: str | tuple[float, ...]) -> NDArray[Any]:
    """An array of the input's type and shape, an open batch being 1, of one number or of as many as it takes.

    Raises: CardError where they do not fill it.
    """
    if isinstance(said, str):
        raise CardError(
            f"input {spec.name!r} is fed a word", got=repr(said), expected=f'numbers, or "{IMAGE}"'
        )
    values, known = np.array(said, np.float64), [d for d in spec.shape if d is not None]
    shape = tuple(1 if d is None and axis == 0 else d for axis, d in enumerate(spec.shape))
    if shape.count(None) == 1 and values.size % int(np.prod(known) or 1) == 0 and values.size > 1:
        rest = values.size // int(np.prod([d for d in shape if d is not None]))
        shape = tuple(rest if d is None else d for d in shape)
    if None in shape:
        raise CardError(
            f"input {spec.name!r} leaves its shape open",
            got=str(spec),
            hint=f"--input {spec.name}=SHAPE says it",
        )
    whole = tuple(int(d or 0) for d in shape)
    if values.size not in (1, int(np.prod(whole))):
        raise CardError(
            f"the values for input {spec.name!r} do not fill it",
            got=f"{values.size} numbers",
            expected=f"{int(np.prod(whole))} for {spec}, or one for all",
        )
    filled: NDArray[Any] = np.broadcast_to(values if values.size == 1 else values.reshape(whole), whole)
    return filled.astype(spec.dtype)
