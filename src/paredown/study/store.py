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
from paredown.files import (
    Layout,
    check_directory,
    check_folder,
    check_plain,
    make_directory,
    storage_errors,
    write_whole,
)
from paredown.graph.load import load_model
from paredown.measurement import Trial
from paredown.model import Model
from paredown.study.environments import (
    Apart,
    TrialKey,
    environment_key,
    latest_key,
    ranked,
    runtime_versions,
    set_apart,
    trial_key,
)
from paredown.study.lock import Lock
from paredown.study.private import Hide
from paredown.study.records import to_line
from paredown.study.trial_log import FILE, read_log
from paredown.toml import read_toml, toml_text

_LONGEST_STEM = 100

Tables = Mapping[str, Mapping[str, object]]
_MADE = (
    *("lock", "status.json", "trials.jsonl", "preprocessing.jpg"),
    *("models", "predictions", "learning", "unfinished"),
)
_FOLDERS = (
    "models",
    "predictions",
    "learning",
    "pictures",
    "unfinished",
)  # what is written there may stand deeper
STUDY = Layout("a study", ("study.toml",), _MADE)


class Store:
    """A study directory that this process may write to. Use it as a context, which frees the lock."""

    def __init__(self, directory: Path, *, force: bool = False, hide: Hide = str) -> None:
        """Makes the directory where missing, locks it, and drops a last line that was not written whole.

        hide: what takes the paths of this machine out of every text that is written (`private.py`).
        `notes` says what was put right. Raises StorageError, and UsageError where the directory holds
        something that is no study, unless `force`.
        """
        self.directory, self._hide = directory, hide
        check_directory(directory, STUDY, force=force)
        make_directory(directory)
        for name in _FOLDERS:
            check_folder(directory / name)
        make_directory(directory / "models")
        self._trials_file = directory / FILE
        check_plain(self._trials_file)
        self._lock = Lock(directory / "lock")
        self.notes: tuple[str, ...] = (*self._mend(), *read_log(directory).notes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def settle(
        self, asked: Tables, settings: Mapping[str, object], environment: Mapping[str, object] | None = None
    ) -> None:
        """Writes study.toml, or, where one stands, checks that it was made under the same `settings`.

        `asked` may differ from last time (other recipes, other limits); `settings` decide what a number
        means, so they may not. `environment`: from now on the trials taken in it are those that are ranked.
        Raises UsageError naming the settings that differ.
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
        made = {} if environment is None else {"made": _made(environment)}
        write_whole(path, toml_text({**asked, "settings": settings, **made}).encode())

    def append(self, trial: Trial) -> None:
        """Adds a line and syncs it. Raises StorageError, and then the file is as it was."""
        line = (to_line(trial, self._hide) + "\n").encode()
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
        """The trials so far that may be ranked together; where one was repeated, the last."""
        return read_trials(self.directory)

    def apart(self, now: Mapping[str, object] | None = None) -> tuple[Apart, ...]:
        """The trials taken in other environments; now: the facts of this one."""
        return read_apart(self.directory, now)

    def finished(self, key: TrialKey) -> Trial | None:
        """The trial that need not be repeated, or None. One that failed is tried again."""
        done = (t for t in self.trials() if trial_key(t) == key and t.error is None)
        return next(done, None)

    def save_model(self, data: bytes, stem: str) -> str:
        """Writes models/<stem>.onnx; returns its path relative to the study directory.

        Where another model of that name was measured in another environment, the file gets a name of its own.
        """
        relative, sha = f"models/{file_stem(stem)}.onnx", hashlib.sha256(data).hexdigest()
        taken = (t for a in self.apart() for t in a.trials if t.model_file == relative)
        if any(t.measurement is not None and t.measurement.subject_sha256 != sha for t in taken):
            relative = f"models/{file_stem(f'{stem}-{sha[:12]}')}.onnx"
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
    if os.path.realpath(path) != os.path.join(os.path.realpath(directory), *Path(trial.model_file).parts):
        raise StorageError(
            f"{trial.model_file} is a link that leads elsewhere", expected="a file of the study"
        )
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


def require_study(directory: Path) -> None:
    """Nothing, or UsageError where the directory holds no study."""
    if not (directory / "study.toml").is_file():
        raise UsageError(
            f"{directory} is no study directory",
            expected="a directory with study.toml, as `paredown run` makes",
        )


def read_study(directory: Path) -> dict[str, dict[str, object]]:
    """The tables of study.toml. Raises UsageError where there is none, StorageError where it is damaged."""
    require_study(directory)
    path = directory / "study.toml"
    tables = read_toml(path, what="the study", error=StorageError)
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise StorageError(f"{path} holds something that is no table", got=name[:80])
    return tables


def read_trials(directory: Path) -> tuple[Trial, ...]:
    """The trials of a study that may be ranked together, also while it runs: those of its environment."""
    return ranked(read_log(directory).trials, study_key(directory), study_versions(directory))


def read_apart(directory: Path, now: Mapping[str, object] | None = None) -> tuple[Apart, ...]:
    """The trials of a study that were taken in other environments; now: the facts of the study's own."""
    versions = study_versions(directory)
    return set_apart(read_log(directory).trials, study_key(directory), now, versions)


def _made(environment: Mapping[str, object]) -> dict[str, object]:
    """What study.toml says of the environment that the study was last run in."""
    versions = [f"{name} {version}" for name, version in runtime_versions(environment).items()]
    return {"runtimes": versions, "environment": environment_key(environment)}


def _read_made(directory: Path) -> Mapping[str, object]:
    try:
        return read_study(directory).get("made", {})
    except UsageError:  # a log alone, without a study.toml
        return {}


def study_versions(directory: Path) -> dict[str, str]:
    """Version by package, of the runtimes that were installed when the study was last run."""
    listed = _read_made(directory).get("runtimes")
    pairs = [str(text).rpartition(" ") for text in listed] if isinstance(listed, list) else []
    return {name: version for name, _, version in pairs if name}


def study_key(directory: Path) -> str:
    """The environment that the study was last run in: as it wrote down, else that of its last trial."""
    key = _read_made(directory).get("environment")
    return key if isinstance(key, str) else latest_key(read_log(directory).trials)


def file_stem(name: str) -> str:
    """A file name for each name: with a fingerprint where it is too long or a file system may refuse it."""
    safe = "".join(c if (c.isascii() and c.isalnum()) or c in "-_.+@" else "_" for c in name)
    if safe == name and len(name) <= _LONGEST_STEM:
        return name
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{safe[: _LONGEST_STEM - 1 - len(mark)]}-{mark}"
