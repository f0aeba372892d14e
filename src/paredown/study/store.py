"""The study directory: what was asked, and every trial as it ended.

study.toml      what was asked and what it was asked of: enough to run it again
trials.jsonl    one line per trial, synced to the disk before the next trial starts
models/         the compressed models
lock            held while a process writes here
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from paredown.errors import StorageError, UsageError
from paredown.files import Layout, check_directory, check_plain, make_directory, storage_errors, write_whole
from paredown.graph.load import load_model
from paredown.measurement import Trial
from paredown.model import Model
from paredown.study.files import Lock, toml_text
from paredown.study.records import from_line, to_line

_LONGEST_STEM = 100

Tables = Mapping[str, Mapping[str, object]]
_MADE = ("lock", "models", "predictions", "learning", "trials.jsonl", "preprocessing.jpg")
STUDY = Layout("a study", ("study.toml",), _MADE)


class Store:
    """A study directory that this process may write to. Use it as a context, which frees the lock."""

    def __init__(self, directory: Path, *, force: bool = False) -> None:
        """Makes the directory where missing, locks it, and drops a last line that was not written whole.

        `notes` says what was put right. Raises StorageError, and UsageError where the directory holds
        something that is no study, unless `force`.
        """
        self.directory = directory
        check_directory(directory, STUDY, force=force)
        make_directory(directory)
        make_directory(directory / "models")
        self._trials_file = directory / "trials.jsonl"
        check_plain(self._trials_file)
        self._lock = Lock(directory / "lock")
        self.notes: tuple[str, ...] = self._mend()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def settle(self, asked: Tables, settings: Mapping[str, object]) -> None:
        """Writes study.toml, or, where one stands, checks that it was made under the same `settings`.

        `asked` may differ from last time (other recipes, other limits); `settings` decide what a number
        means, so they may not. Raises UsageError naming the settings that differ.
        """
        path = self.directory / "study.toml"
        if path.exists():
            before = read_study(self.directory).get("settings", {})
            now = tomllib.loads(toml_text({"settings": settings}))["settings"]
            differing = sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k))
            if differing:
                raise UsageError(
                    f"{self.directory} holds a study made with other settings",
                    got=", ".join(f"{k} = {now.get(k)!r}" for k in differing),
                    expected=", ".join(f"{k} = {before.get(k)!r}" for k in differing),
                    hint="choose another --out, or remove that directory",
                )
        write_whole(path, toml_text({**asked, "settings": settings}).encode())

    def append(self, trial: Trial) -> None:
        """Adds a line and syncs it. Raises StorageError, and then the file is as it was."""
        line = (to_line(trial) + "\n").encode()
        check_plain(self._trials_file)
        with storage_errors(self._trials_file), self._trials_file.open("ab") as file:
            size = file.tell()
            try:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self._trials_file, size)
                raise

    def trials(self) -> tuple[Trial, ...]:
        """The trials so far; where one was repeated, the last."""
        return read_trials(self.directory)

    def finished(self, recipe: str, source_sha256: str, target: str, seed: int) -> Trial | None:
        """The trial that need not be repeated, or None. One that failed is tried again."""
        wanted = (recipe, source_sha256, target, seed)
        done = (t for t in self.trials() if _key(t) == wanted and t.error is None)
        return next(done, None)

    def save_model(self, data: bytes, stem: str) -> str:
        """Writes models/<stem>.onnx; returns its path relative to the study directory."""
        relative = f"models/{file_stem(stem)}.onnx"
        write_whole(self.directory / relative, data)
        return relative

    def _mend(self) -> tuple[str, ...]:
        if not self._trials_file.exists():
            return ()
        with storage_errors(self._trials_file):
            data = self._trials_file.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole == len(data):
                return ()
            os.truncate(self._trials_file, whole)
        return ("the last line of trials.jsonl was not written whole and was dropped: its trial is repeated",)


def model_of(directory: Path, trial: Trial) -> Model:
    """The model of a trial, the very file that was measured. Raises StorageError where it is another."""
    if trial.model_file is None or trial.measurement is None:
        raise UsageError(f"{trial.label} has no model: it failed", got=trial.error)
    path = directory / trial.model_file
    model = load_model(path)
    with storage_errors(path):
        data = path.read_bytes()
    found, measured = hashlib.sha256(data).hexdigest(), trial.measurement.subject_sha256
    if found != measured:
        raise StorageError(
            f"{trial.model_file} is not the model that was measured as {trial.label}",
            got=f"sha256 {found}",
            expected=f"sha256 {measured}",
            hint="remove that file and its line in trials.jsonl, then run again",
        )
    return replace(model, data=data)


def read_study(directory: Path) -> dict[str, dict[str, object]]:
    """The tables of study.toml. Raises UsageError where there is none, StorageError where it is damaged."""
    path = directory / "study.toml"
    if not path.is_file():
        raise UsageError(
            f"{directory} is no study directory",
            expected="a directory with study.toml, as `paredown run` makes",
        )
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise StorageError(f"{path} cannot be read", got=e) from e


def read_trials(directory: Path) -> tuple[Trial, ...]:
    """The trials of a study, also while it runs. Raises StorageError naming a damaged line."""
    path = directory / "trials.jsonl"
    if not path.exists():
        return ()
    with storage_errors(path):
        text = path.read_bytes()
    trials: dict[tuple[str, str, str, int], Trial] = {}
    whole = text[: text.rfind(b"\n") + 1]
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            trial = from_line(line.decode())
        except ValueError as e:
            raise StorageError(
                f"{path} is damaged in line {number}", got=e, hint="remove that line, then run again"
            ) from e
        trials[_key(trial)] = trial
    return tuple(trials.values())


def file_stem(name: str) -> str:
    """A file name for each name: with a fingerprint where it is too long or a file system may refuse it."""
    safe = "".join(c if (c.isascii() and c.isalnum()) or c in "-_.+" else "_" for c in name)
    if safe == name and len(name) <= _LONGEST_STEM:
        return name
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{safe[: _LONGEST_STEM - 1 - len(mark)]}-{mark}"


def _key(trial: Trial) -> tuple[str, str, str, int]:
    return trial.recipe, trial.source_sha256, trial.target, trial.seed
