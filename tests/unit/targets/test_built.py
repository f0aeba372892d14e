"""A runtime's files are made once for a model, and lie wherever they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nets import ANY_BOARD, residual
from paredown.protocols import Artifact
from paredown.runtimes.artifact import of_files, stem_of
from paredown.targets import built


class Maker:
    """A runtime that writes the model's bytes and a note beside them."""

    def __init__(self, version: str = "1") -> None:
        self.calls, self.version = 0, lambda: version

    def build(self, model: bytes | Path, device: Any, folder: Path, precision: str) -> Artifact:
        self.calls += 1
        data = model if isinstance(model, bytes) else model.read_bytes()
        file = folder / f"{stem_of(model)}.made"
        file.write_bytes(data + precision.encode())
        (folder / f"{stem_of(model)}.txt").write_text("how")
        return of_files((file,), build_s=3.0)


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    built.clear()
    yield
    built.clear()


def of(maker: Any, model: bytes | Path, folder: Path, precision: str = "") -> Artifact:
    return built.build(maker, "made-up", model, ANY_BOARD, folder, precision)


def test_what_was_judged_in_memory_is_timed_from_a_file_without_being_made_again(tmp_path: Path) -> None:
    maker, data = Maker(), residual().data
    file = tmp_path / "best.onnx"
    file.write_bytes(data)
    first, second = of(maker, data, tmp_path), of(maker, file, tmp_path)
    assert maker.calls == 1
    assert [a.files[0].name for a in (first, second)] == ["model.made", "best.made"]
    assert first.files[0].read_bytes() == second.files[0].read_bytes() == data
    assert (tmp_path / "best.txt").read_text() == "how"
    assert (first.sha256, first.build_s) == (second.sha256, second.build_s)
    assert second.sha256 == hashlib.sha256(data).hexdigest()


def test_another_precision_version_or_model_is_made_anew(tmp_path: Path) -> None:
    maker, data = Maker(), residual().data
    of(maker, data, tmp_path)
    of(maker, data, tmp_path, "float16")
    of(maker, data + b"\0", tmp_path)
    assert maker.calls == 3
    other = Maker("2")
    of(other, data, tmp_path)
    assert other.calls == 1


def test_a_model_with_weights_in_other_files_is_always_made_anew(tmp_path: Path) -> None:
    maker = Maker()
    for _ in range(2):
        of(maker, b"...location weights.bin...", tmp_path)
    assert maker.calls == 2


def test_what_opens_models_as_they_are_is_not_kept(tmp_path: Path) -> None:
    def build(model: bytes, *given: Any) -> Artifact:
        return Artifact((), "sha", len(model), data=model)

    maker = SimpleNamespace(build=build, version=lambda: "1")
    assert of(maker, b"abc", tmp_path).data == b"abc"
    assert not built._kept


def test_only_the_last_few_are_kept(tmp_path: Path) -> None:
    maker = Maker()
    for i in range(built.MOST_KEPT + 2):
        of(maker, bytes([i]), tmp_path)
    assert len(built._kept) == built.MOST_KEPT
