"""What a training needs to go on where it was stopped, in one file."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paredown.errors import StorageError
from paredown.files import make_directory, write_whole
from paredown.graph.torch_ops import Tensor, torch


@dataclass
class Checkpoint:
    """step: steps done; seconds: time used; optimizer: Adam's own state; key: what makes two trainings the
    same."""

    key: str
    step: int
    seconds: float
    parameters: dict[str, Tensor]
    average: dict[str, Tensor]
    best: dict[str, Tensor]
    best_error: float
    checks_since_best: int
    optimizer: dict[str, Any]
    masks: dict[str, Tensor] = field(default_factory=dict)


def save(path: Path, state: Checkpoint) -> None:
    """Writes the file whole or not at all. Raises StorageError."""
    data = io.BytesIO()
    torch.save(vars(state), data)
    make_directory(path.parent)
    write_whole(path, data.getvalue())


def load(path: Path, key: str) -> Checkpoint | None:
    """The state in the file; None where there is no file.

    Raises: StorageError for a file that is none, or one of another training.
    """
    if not path.is_file():
        return None
    try:
        state = Checkpoint(**torch.load(path, weights_only=True))
    except (OSError, RuntimeError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise StorageError(
            f"{path} is no checkpoint of a training", got=str(error).splitlines()[0][:200]
        ) from error
    if state.key != key:
        raise StorageError(
            f"{path} belongs to another training", got=state.key, expected=key, hint="remove the file"
        )
    return state
