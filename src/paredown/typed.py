"""Values of JSON and TOML files as their annotations say, types checked: a file may have been edited."""

from __future__ import annotations

import dataclasses
import functools
import types
from collections.abc import Collection, Mapping
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")

_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
_ITEMS = {str: " of texts", int: " of whole numbers", float: " of numbers"}


class Misfit(ValueError):
    """A value that is not of its type: where it stands, what it is, and what was expected."""

    def __init__(self, where: str, got: object, expected: str) -> None:
        text = repr(got)
        shown = text if len(text) <= 40 else f"{text[:40]}..."
        super().__init__(f"{where.rstrip('.') or 'the whole'} is {shown}, not {expected}")
        self.where, self.got, self.expected = where, got, expected


class UnknownKey(ValueError):
    """A key that no field of the dataclass has."""

    def __init__(self, where: str, key: str, known: Collection[str]) -> None:
        super().__init__(f"{where}{key[:60]!r} is not known")
        self.where, self.key, self.known = where, key, known


def build(kind: type[T], value: object, where: str = "") -> T:
    """The dataclass instance that `value` spells; a list stands for a tuple.

    Raises: Misfit, UnknownKey, ValueError naming the first place that does not fit, is not known, is missing.
    """
    table = _table(value, where)
    hints = hints_of(cast(Any, kind))
    for key in table:
        if key not in hints:
            raise UnknownKey(where, key, tuple(hints))
    found: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name in table:
            found[field.name] = convert(table[field.name], hints[field.name], f"{where}{field.name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{where}{field.name} is missing")
    return kind(**found)


def convert(value: object, hint: Any, where: str) -> Any:
    """The value as annotated: a whole number serves as a float, a list as a tuple. Raises Misfit."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (types.UnionType, Union):
        if value is None and types.NoneType in args:
            return None
        return convert(value, next(a for a in args if a is not types.NoneType), where)
    if origin is Literal:
        if isinstance(value, str) and value in args:
            return value
        words = [str(arg) for arg in args if arg]
        raise Misfit(where, value, " or ".join([", ".join(words[:-1]), *words[-1:]] if words[1:] else words))
    if origin is tuple:
        return _tuple(value, args, where)
    if origin in (Mapping, dict):
        return {k: convert(v, args[1], f"{where}.{k[:60]}") for k, v in _table(value, where).items()}
    if dataclasses.is_dataclass(hint):
        return build(hint, value, f"{where}.")  # type: ignore[arg-type]
    return _plain(value, hint, where)


def _tuple(value: object, args: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    """tuple[X, ...] of any length, tuple[X, Y] of that many."""
    open_length = args[-1] is Ellipsis
    if not isinstance(value, list | tuple) or not (open_length or len(value) == len(args)):
        items = _ITEMS.get(args[0], "")
        raise Misfit(where, value, f"a list{items}" if open_length else f"a list of {len(args)}")
    kinds = [args[0]] * len(value) if open_length else args
    return tuple(convert(v, k, f"{where}[{i}]") for i, (v, k) in enumerate(zip(value, kinds, strict=True)))


def _plain(value: object, hint: Any, where: str) -> object:
    """Texts, numbers and switches."""
    if hint in (object, Any):
        return value
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise Misfit(where, value, "a number of this size") from None
    if hint is not float and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise Misfit(where, value, _WORDS.get(hint, getattr(hint, "__name__", str(hint))))


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Misfit(where, value, "a table")
    return value


@functools.cache
def hints_of(kind: Any) -> dict[str, Any]:
    """Field -> annotation, resolved."""
    return get_type_hints(kind)
