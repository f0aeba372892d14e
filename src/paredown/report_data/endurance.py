"""What `measure --sustained` and the like wrote into a study directory: endurance-NAME.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from paredown.endurance import Endurance
from paredown.errors import StorageError
from paredown.files import storage_errors
from paredown.study.records import read_json
from paredown.typed import build

_START = "endurance-"


def read_endurance(directory: Path) -> Mapping[str, Endurance]:
    """By NAME, in its order. Raises StorageError where such a file is no such thing."""
    return {path.stem.removeprefix(_START): _read(path) for path in sorted(directory.glob(f"{_START}*.json"))}


def _read(path: Path) -> Endurance:
    with storage_errors(path):
        text = path.read_text(encoding="utf-8")
    try:
        return build(Endurance, read_json(text)["endurance"])
    except (ValueError, KeyError, TypeError) as e:
        raise StorageError(
            f"{path.name} is not what `measure --out` writes beside --sustained and the like",
            got=str(e)[:200],
            hint="write it again, or take it out of the study directory",
        ) from e
