"""The bundle's complete `card.toml` read back. Standard library only: `detect.py` carries this file.

Differs from `families.cards`, which fills what a file leaves out by recognising the model: that takes the
model's graph, and the device needs none of it, since `write_card` leaves nothing out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paredown.card import Card, Preprocess
from paredown.deploy.sources import DeviceError


def read_complete_card(path: Path) -> Card:
    """The card as `write_card` wrote it. Raises DeviceError where a part is missing or unknown."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        values = _tuples(table.pop("input"))
        image = Preprocess(**{**values, "others": tuple(values.get("others", {}).items())})
        return Card(preprocess=image, **_tuples(table))
    except OSError as error:
        raise DeviceError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DeviceError(f"{path} is no TOML file: {error}") from error
    except (KeyError, TypeError) as error:
        raise DeviceError(f"{path} is no complete card: {error}") from error


def _tuples(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table with tuples for lists, as the card holds them."""
    return {key: _tuple(value) for key, value in table.items()}


def _tuple(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuple(v) for v in value)
    return _tuples(value) if isinstance(value, dict) else value
