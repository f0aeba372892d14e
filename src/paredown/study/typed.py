"""Frozen dataclasses from plain JSON values, every type checked: a file may have been edited."""

from __future__ import annotations

import dataclasses
import functools
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def build(kind: type[T], value: object, where: str = "") -> T:
    """The dataclass instance that `value` spells; a list stands for a tuple.

    Raises: ValueError naming the first place that does not fit, is missing or is not known.
    """
    table = _table(value, where)
    hints = _hints(cast(Any, kind))
    for key in table:
        if key not in hints:
            raise ValueError(f"{where}{key[:60]!r} is not known")
    found: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name in table:
            found[field.name] = convert(table[field.name], hints[field.name], f"{where}{field.name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{where}{field.name} is missing")
    return kind(**found)


def convert(value: object, hint: Any, where: str) -> Any:
    """The value as its annotation says. Raises ValueError where it cannot be."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (types.UnionType, Union):
        if value is None and types.NoneType in args:
            return None
        return convert(value, next(a for a in args if a is not types.NoneType), where)
    if origin is Literal:
        if isinstance(value, str) and value in args:
            return value
        raise ValueError(f"{where} is {_shown(value)}, not one of {', '.join(map(str, args))}")
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{where} is {_shown(value)}, not a list")
        return tuple(convert(v, args[0], f"{where}[{i}]") for i, v in enumerate(value))
    if origin in (Mapping, dict):
        return {k: convert(v, args[1], f"{where}.{k[:60]}") for k, v in _table(value, where).items()}
    if dataclasses.is_dataclass(hint):
        return build(hint, value, f"{where}.")  # type: ignore[arg-type]
    return _plain(value, hint, where)


def _plain(value: object, hint: Any, where: str) -> object:
    """Texts, numbers and switches; a whole number will do for a number."""
    if hint in (object, Any):
        return value
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"{where} is too large") from None
    if hint is not float and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise ValueError(f"{where} is {_shown(value)}, not {getattr(hint, '__name__', hint)}")


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where.rstrip('.') or 'the whole'} is {_shown(value)}, not a table")
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)
