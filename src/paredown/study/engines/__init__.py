"""What runs the units of a study: processes of this machine, or a Ray cluster. One unit is one call.

An engine keeps a host alone for a unit that times something on it (`gate.py`), tries a unit again whose
process was killed, and knows nothing of the study: it takes plain values and gives plain values.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import cast

from paredown.errors import UnknownName
from paredown.study.engines.engine import Engine

ENGINES = {
    "local": ("paredown.study.engines.local", "open_local"),
    "ray": ("paredown.study.engines.ray_engine", "open_ray"),
}
"""Name -> the module and its function that makes the engine, imported when asked."""


def open_engine(name: str, jobs: int = 0, boards: Sequence[str] = ()) -> Engine:
    """The engine of that name. jobs: units side by side; 0 is its own choice. boards: hosts other than this
    machine that something is timed on. Raises UnknownName, MissingDependency."""
    if name not in ENGINES:
        raise UnknownName("engine", name, ENGINES)
    module, function = ENGINES[name]
    return cast(Engine, getattr(import_module(module), function)(jobs, boards))
