"""Arguments of the public verbs and values of settings, held against their annotations."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Sequence
from dataclasses import fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from paredown.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, raising UsageError where an argument is of a type that its annotation does not name."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def verb(*args: P.args, **kwargs: P.kwargs) -> R:
        hints = _hints(function)
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            if name in hints:
                check(value, hints[name], f"{function.__name__}({name}=...)")
        return function(*args, **kwargs)

    return verb


def check_fields(settings: Any) -> None:
    """Raises UsageError where a field of the dataclass instance is of a type that it does not name."""
    kind: Any = type(settings)
    hints = _hints(kind)
    for field in fields(settings):
        check(getattr(settings, field.name), hints[field.name], f"{kind.__name__}.{field.name}")


def check(value: object, hint: Any, where: str) -> None:
    """Raises UsageError where the value is of none of the types that `hint` names."""
    if not fits(value, hint):
        shown = repr(value)
        raise UsageError(
            f"{where} has a wrong type",
            got=f"{type(value).__name__} {shown if len(shown) <= 60 else shown[:60] + '...'}",
            expected=spell(hint),
        )


def fits(value: object, hint: Any) -> bool:
    """Whether the value may stand where `hint` is: a class, a union, Literal, Sequence, tuple or callable."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (types.UnionType, Union):
        return any(fits(value, part) for part in args)
    if origin is Literal:
        return value in args
    if origin in (tuple, Sequence):
        listed = isinstance(value, tuple if origin is tuple else tuple | list)
        return listed and all(fits(item, args[0]) for item in value)  # type: ignore[attr-defined]
    if origin is Callable or getattr(hint, "_is_protocol", False):
        return callable(value)
    if hint in (float, int):
        return isinstance(value, Real if hint is float else Integral) and not isinstance(value, bool)
    return isinstance(value, origin or hint)


def spell(hint: Any) -> str:
    """The type in words: "text, a path or Dataset"."""
    words = {str: "text", int: "a whole number", float: "a number", bool: "True or False"}
    words |= {Path: "a path", types.NoneType: "None"}
    origin, args = get_origin(hint), get_args(hint)
    if origin in (types.UnionType, Union):
        parts = [spell(part) for part in args]
        return f"{', '.join(parts[:-1])} or {parts[-1]}"
    if origin is Literal:
        return " or ".join(map(repr, args))
    if origin in (tuple, Sequence):
        return f"a list of {spell(args[0])}"
    if origin is Callable or getattr(hint, "_is_protocol", False):
        return "something to call"
    return words.get(hint, getattr(hint, "__name__", str(hint)))


@functools.cache
def _hints(owner: Any) -> dict[str, Any]:
    return get_type_hints(owner)
