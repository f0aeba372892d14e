"""The table [input] of a card file: what it says put into the preprocessing that the model settles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from paredown.card import Preprocess
from paredown.errors import CardError, UnknownName
from paredown.preprocessing.others import IMAGE
from paredown.preprocessing.values import parse_values, with_colour, with_values
from paredown.typed import Misfit, convert

VALUES = {"scale", "mean", "std"}
_UNIT_MEAN = 2.0  # the mean of images on the scale 0..1 or -1..1 is below


def read_input(base: Preprocess, table: Mapping[str, Any], path: Path) -> Preprocess:
    """The preprocessing with what that file says. Raises CardError where it contradicts the model."""
    hints = get_type_hints(Preprocess)
    for key in table:
        if key not in hints:
            raise UnknownName("key of [input]", key, hints)
    how = _input_values(base, table, hints, path)
    for key in ("size", "layout", "dtype", "image"):  # the model settles these
        if getattr(how, key) != getattr(base, key):
            got, expected = getattr(how, key), getattr(base, key)
            raise CardError(f"{path}: input.{key} does not fit the model", got=got, expected=expected)
    if (how.colour == "grey") != (base.colour == "grey"):
        raise CardError(f"{path}: input.colour does not fit the model's channels", got=how.colour)
    for key in ("mean", "std"):
        if len(getattr(how, key)) != len(getattr(base, key)):
            expected = f"{len(getattr(base, key))} values, one per channel"
            raise CardError(
                f"{path}: input.{key} has a wrong length", got=getattr(how, key), expected=expected
            )
    if 0 in how.std or how.scale == 0 or not 0 <= how.pad <= 255:
        raise CardError(f"{path}: input.std and input.scale must not be 0, input.pad is a pixel 0..255")
    return how


def _input_values(
    base: Preprocess, table: Mapping[str, Any], hints: Mapping[str, Any], path: Path
) -> Preprocess:
    """The preprocessing as the table says. What is left of scale, mean and std has its plain value then."""
    named = isinstance(table.get("scale"), str)
    if named and {"mean", "std"} & set(table):
        raise CardError(f"{path}: a word for input.scale says mean and std too", got=table["scale"])
    said = {
        key: checked(path, f"input.{key}", value, hints[key])
        for key, value in table.items()
        if not (named and key == "scale") and key != "others"
    }
    if "others" in table:
        said["others"] = _others(table["others"], path)
    how = with_colour(base, said["colour"]) if "colour" in said else base
    if named:
        how = with_values(how, parse_values(table["scale"]))
    elif VALUES & set(table):
        if "scale" not in table and max(map(abs, said.get("mean", (0.0,)))) > _UNIT_MEAN:
            raise CardError(
                f"{path}: input.mean is one of pixels 0..255, and input.scale is left out, which means 1/255",
                got=said["mean"],
                hint="say scale = 1.0",
            )
        how = with_values(how, parse_values("0..1"))
    return replace(how, **said)


def _others(value: object, path: Path) -> tuple[tuple[str, str | tuple[float, ...]], ...]:
    """The table [input.others] as a card holds it. Raises CardError."""
    if not isinstance(value, dict):
        raise CardError(f"{path}: input.others is a table", got=value, expected="[input.others]")
    return tuple((name, _values_of(path, name, said)) for name, said in value.items())


def _values_of(path: Path, name: str, said: object) -> str | tuple[float, ...]:
    """The word `image`, or all numbers of a list of any depth, one after the other."""
    if said == IMAGE:
        return IMAGE
    try:
        numbers = np.asarray(said, np.float64)
    except (TypeError, ValueError) as error:
        raise CardError(
            f"{path}: input.others.{name} has a wrong value",
            got=repr(said)[:80],
            expected=f'numbers, or "{IMAGE}"',
        ) from error
    return tuple(float(v) for v in numbers.ravel())


def checked(path: Path, key: str, value: object, kind: Any) -> Any:
    """The value as that type. Raises CardError."""
    try:
        return convert(value, kind, key)
    except Misfit as e:
        raise CardError(f"{path}: {key} has a wrong value", got=repr(e.got), expected=e.expected) from e
