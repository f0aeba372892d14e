"""What ships to the device: `write_bundle(model, card, trial, out)`. Imported when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paredown.deploy.bundle import BUNDLE as BUNDLE
    from paredown.deploy.bundle import write_bundle as write_bundle


def __getattr__(name: str) -> Any:
    if name in ("BUNDLE", "write_bundle"):
        return getattr(importlib.import_module(f"{__name__}.bundle"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
