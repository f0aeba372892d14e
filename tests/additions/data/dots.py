"""A format as anyone may add one: `dots.txt` says the class of each image, "0.png disc"."""

from __future__ import annotations

from pathlib import Path

from paredown.data.images import file_sample
from paredown.sample import Dataset


def looks_like(path: Path) -> bool:
    return (path / "dots.txt").is_file()


def splits(path: Path) -> tuple[str, ...]:
    return ()


def read(path: Path, split: str | None) -> Dataset:
    rows = [line.split() for line in (path / "dots.txt").read_text().splitlines()]
    classes = tuple(dict.fromkeys(name for _, name in rows))
    samples = tuple(file_sample(path / file, file, classes.index(name)) for file, name in rows)
    return Dataset(path.name, "dots", str(path), classes, samples)
