"""What ships to the device: `write_bundle(model, card, trial, out)`. Imported when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paredown.deploy.bundle import write_bundle as write_bundle


def __getattr__(name: str) -> Any:
    if name == "write_bundle":
        return importlib.import_module(f"{__name__}.bundle").write_bundle
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
