"""The noun `Model`: one ONNX file, held as bytes that nobody can change."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from paredown.card import Card


@dataclass(frozen=True)
class TensorSpec:
    """A graph input or output. A dimension that the file leaves open is None."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str  # numpy name: "float32", "uint8", ...

    def __str__(self) -> str:
        """In words: "images float32 1x3x640x640", "?" for a dimension left open."""
        sizes = "x".join("?" if d is None else str(d) for d in self.shape)
        return f"{self.name} {self.dtype} {sizes}"


@dataclass(frozen=True)
class Model:
    """A serialized ONNX model with its input and output specs. Made by `paredown.load`.

    `data` is a complete ModelProto: external data is pulled in at loading. `metadata` is the file's own.
    """

    data: bytes = field(repr=False)
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    name: str  # file name without the suffix
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    card: Card | None = None

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def size_bytes(self) -> int:
        return len(self.data)

    def with_card(self, card: Card) -> Model:
        return replace(self, card=card)
