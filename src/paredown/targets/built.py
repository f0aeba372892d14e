"""What a runtime built of a model, kept for whoever asks for the same next.

A conversion takes seconds, an engine minutes, and a trial needs its files to weigh them, to judge and to time
the model. They are known by what they are made of: the model's bytes, the runtime and its version, the device
and the precision.
"""

from __future__ import annotations

import atexit
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from paredown.device import Device
from paredown.errors import MissingDependency
from paredown.files import storage_errors, write_whole
from paredown.protocols import Artifact, Runtime
from paredown.runtimes.artifact import stem_of

MOST_KEPT = 3  # models: what one trial and its neighbour need


@dataclass(frozen=True)
class _Built:
    """artifact: its files, and what was written beside them, lie in `folder`, named after `stem`."""

    folder: TemporaryDirectory[str]
    artifact: Artifact
    stem: str

    def copied(self, folder: Path, stem: str) -> Artifact:
        """The artifact with its files in another folder, named after another model of the same bytes."""
        places = {file: folder / file.name.replace(self.stem, stem, 1) for file in self.files()}
        with storage_errors(folder):
            for file, place in places.items():
                write_whole(place, file.read_bytes())
        files = tuple(places.get(file, file) for file in self.artifact.files)
        note = self.artifact.note.replace(self.folder.name, str(folder))
        return replace(self.artifact, files=files, note=note)

    def files(self) -> list[Path]:
        return sorted(Path(self.folder.name).iterdir())


_kept: OrderedDict[tuple[str, ...], _Built] = OrderedDict()
_one_at_a_time = Lock()


def build(
    runtime: Runtime, name: str, model: bytes | Path, device: Device, folder: Path, precision: str
) -> Artifact:
    """What the runtime of that name makes of the model, in the folder, made anew or copied.

    A model whose weights lie in other files is always made anew: its own bytes do not tell what it is.
    """
    content = model if isinstance(model, bytes) else _content(model)
    if content is None or b"location" in content:  # the key that external data of a tensor stands behind
        return runtime.build(model, device, folder, precision)
    key = (name, _version(runtime), repr(device), precision, hashlib.sha256(content).hexdigest())
    with _one_at_a_time:
        found = _kept.get(key)
        if found is not None and all(file.is_file() for file in found.artifact.files):
            _kept.move_to_end(key)
            return found.copied(folder, stem_of(model))
        scratch = TemporaryDirectory(prefix="paredown-")
        made = runtime.build(model, device, Path(scratch.name), precision)
        new = _Built(scratch, made, stem_of(model))
        copied = new.copied(folder, stem_of(model))
        if not made.files or not set(made.files) <= set(new.files()):  # it opens the model as it is
            scratch.cleanup()
            return copied
        _kept[key] = new
        _drop(len(_kept) - MOST_KEPT)
        return copied


def clear() -> None:
    """Keeps nothing."""
    with _one_at_a_time:
        _drop(len(_kept))


atexit.register(clear)


def _drop(count: int) -> None:
    for _ in range(count):
        _kept.popitem(last=False)[1].folder.cleanup()


def _content(model: Path) -> bytes | None:
    """The file's bytes; None where it cannot be read, which the runtime says in its own words."""
    try:
        return model.read_bytes()
    except OSError:
        return None


def _version(runtime: Runtime) -> str:
    try:
        return runtime.version()
    except MissingDependency:
        return ""
