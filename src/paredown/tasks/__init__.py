"""Tasks: what a model is for. One file each, a module with the names of `task.Task`.

Whatever differs between a detector and a classifier stands here and is asked of `TASKS[card.task]`; nothing
else in the package asks which task it is. A family says which task its models are of.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

from paredown.errors import UnknownName
from paredown.metrics import headline

if TYPE_CHECKING:
    from paredown.tasks.task import Task

__all__ = ["TASKS", "headline"]

_MODULES = ("detect", "classify", "segment", "instances", "pose", "oriented", "promptable", "raw")


class _Tasks(Mapping[str, "Task"]):
    """The table of tasks by name; a module is imported when it is asked for."""

    def __getitem__(self, name: str) -> Task:
        if name not in _MODULES:
            raise UnknownName("task", name, _MODULES)
        return cast("Task", importlib.import_module(f"{__name__}.{name}"))

    def __contains__(self, name: object) -> bool:
        return name in _MODULES

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


TASKS: Mapping[str, Task] = _Tasks()
