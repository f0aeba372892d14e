"""Arrays by name in an .npz file: what inputs are fed. Nothing in the file is ever unpickled."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paredown.errors import CardError, UnknownName
from paredown.model import TensorSpec

MOST_VALUES = 100_000  # of one input that a card holds: it is text


def read_others(file: Path, inputs: Sequence[TensorSpec]) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """What the inputs beside the image are fed, as a card holds it. Raises CardError, UnknownName."""
    names = [spec.name for spec in inputs]
    others: list[tuple[str, tuple[float, ...]]] = []
    for name, array in read_npz(file).items():
        if name not in names:
            raise UnknownName("input", name, names, hint=f"{file} names it")
        same = array.size > 0 and bool((array == array.flat[0]).all())
        if array.size > MOST_VALUES and not same:
            raise CardError(
                f"{file}: {name!r} is too much for a card",
                got=f"{array.size} numbers",
                expected=f"at most {MOST_VALUES}, or one number for all",
                hint="inputs that change with every image are given to `compress` as --calib FILE.npz",
            )
        others.append((name, tuple(float(v) for v in (array.flat[:1] if same else array.ravel()))))
    return tuple(others)


def read_npz(file: Path) -> dict[str, NDArray[Any]]:
    """The arrays of numbers in the file, by name. Raises CardError."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: np.asarray(stored[name]) for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise CardError(
            f"{file} cannot be read", got=error, expected="an .npz file of arrays, as numpy.savez writes it"
        ) from error
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub":
            raise CardError(f"{file}: {name!r} holds no numbers", got=str(array.dtype))
    return arrays
