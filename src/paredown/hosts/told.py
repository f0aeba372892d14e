"""What a machine elsewhere tells of itself in JSON, and what is made of it here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paredown.machine import Machine

_SETS = ("instruction_sets", "governors")


def plain(value: Any) -> Any:
    """The value with sorted lists in place of sets, whatever it holds."""
    if isinstance(value, Mapping):
        return {key: plain(v) for key, v in value.items()}
    return sorted(value) if isinstance(value, frozenset | set) else value


def machine_of(table: Mapping[str, Any]) -> Machine:
    """The facts that were told."""
    sets = {name: frozenset(table[name]) for name in _SETS}
    return Machine(**{**table, **sets, "sensors": tuple(table["sensors"])})
