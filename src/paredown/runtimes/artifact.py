"""Artifacts: of a runtime that opens ONNX models as they are, and of files that one made."""

from __future__ import annotations

import hashlib
from pathlib import Path

from paredown.errors import ModelError, TargetError
from paredown.protocols import Artifact


def as_it_is(model: bytes | Path, runtime: str, precision: str = "") -> Artifact:
    """The artifact of an ONNX model to which nothing is done, in its file or in memory.

    Raises: TargetError for a precision other than the model's own; ModelError for an unreadable file.
    """
    if precision:
        raise TargetError(
            f"{runtime} computes a model in the numbers that it is written in",
            got=precision,
            hint="this file is for a runtime that computes in it; compress the float model for this one",
        )
    if isinstance(model, bytes):
        return Artifact((), hashlib.sha256(model).hexdigest(), len(model), data=model)
    try:
        with model.open("rb") as file:
            return Artifact((model,), hashlib.file_digest(file, "sha256").hexdigest(), model.stat().st_size)
    except OSError as e:
        raise ModelError(f"cannot read {model.name}", got=e.strerror) from e


def of_files(files: tuple[Path, ...], build_s: float) -> Artifact:
    """The artifact of files that a runtime made. build_s: seconds that making them took."""
    digest, size_bytes = hashlib.sha256(), 0
    for path in files:
        content = path.read_bytes()
        digest.update(content)
        size_bytes += len(content)
    return Artifact(files, digest.hexdigest(), size_bytes, build_s)


def stem_of(model: bytes | Path) -> str:
    """What the files made of a model are named by: its own file, "model" where it is in memory."""
    return "model" if isinstance(model, bytes) else model.stem
