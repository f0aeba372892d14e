"""The parent's end of a measured process: start it, ask it, and be sure that it ends."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from paredown.errors import (
    MEMORY_HINT,
    ModelError,
    OutOfMemory,
    ParedownError,
    StorageError,
    TargetError,
    ran_out_of_memory,
)
from paredown.protocols import Array

_ERRORS: dict[str, type[ParedownError]] = {"ModelError": ModelError, "OutOfMemory": OutOfMemory}
_STDERR_TAIL = 1500  # characters: the end of a traceback, not a log
_LAST_LINES = 2
_QUIT_S = 2.0


def _stored(feeds: Mapping[str, Array]) -> IO[bytes]:
    """The feeds in an open file without a name: it is gone once nobody holds it open, however they end."""
    file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        np.savez(file, *feeds.values())
        file.seek(0)
    except OSError as e:
        file.close()
        raise StorageError("cannot hand the inputs over to the measured process", got=e) from e
    return file


class WorkerProcess:
    """A fresh process with one compiled model. Leaving the `with` ends it, whatever happened.

    runtime: the module that compiles. Raises StorageError where the feeds cannot be handed over.
    """

    def __init__(
        self, model: Path, runtime: str, feeds: Mapping[str, Array], *, threads: int, timeout_s: float
    ) -> None:
        self._model, self._timeout_s = model.name, timeout_s
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        # A session of its own, so that Ctrl-C reaches the parent only, which then ends the children in order.
        with _stored(feeds) as file:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "paredown._measure.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                pass_fds=(file.fileno(),),
                start_new_session=True,
                text=True,
                bufsize=1,
            )
            number = file.fileno()
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        self._job = {
            "model": str(model.resolve()),
            "runtime": runtime,
            "threads": threads,
            "feeds": number,
            "names": list(feeds),
        }

    @property
    def pid(self) -> int:
        return self._process.pid

    def load(self) -> dict[str, Any]:
        """What loading the model took: load_s, before_bytes, loaded_bytes."""
        return self._ask(json.dumps(self._job))

    def run(self, count: int) -> dict[str, Any]:
        """`count` inferences: latency_s, end_s, held_bytes of each, cpu_s and wall_s of all, peak_bytes."""
        return self._ask(f"run {count}")

    def close(self) -> None:
        """End the process: politely, then by force."""
        if self._process.poll() is None:
            try:
                self._write("quit")
                self._process.wait(_QUIT_S)
            except (OSError, subprocess.TimeoutExpired):
                self._kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):  # what was not read any more by a dead process
                    stream.close()
        self._stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._kill()  # do not wait for an inference nobody will read
        self.close()

    def _ask(self, line: str) -> dict[str, Any]:
        try:
            self._write(line)
            text = self._lines.get(timeout=self._timeout_s)
        except OSError:
            text = ""
        except queue.Empty:
            self._kill()
            raise TargetError(
                f"{self._model} did not answer within {self._timeout_s:g} s",
                got=self._tail() or None,
                hint="the model may be too slow for this machine; allow it more time",
            ) from None
        if not text:
            raise self._death()
        answer: dict[str, Any] = json.loads(text)
        if "error" in answer:
            raise _ERRORS.get(answer["error"], TargetError)(
                f"{self._model}: {answer['what']}",
                got=answer.get("got"),
                expected=answer.get("expected"),
                hint=answer.get("hint"),
            )
        return answer

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")  # the process has closed its end

    def _death(self) -> ParedownError:
        try:
            code = self._process.wait(_QUIT_S)
        except subprocess.TimeoutExpired:
            self._kill()
            code = self._process.wait()
        how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        tail, what = self._tail(), f"the process measuring {self._model} died ({how})"
        if how == "SIGKILL":  # nobody else sends it unasked
            return OutOfMemory(f"{what}, as the system ends one when it is out of memory", hint=MEMORY_HINT)
        if ran_out_of_memory(RuntimeError(tail)):
            return OutOfMemory(f"{what}: out of memory", got=tail, hint=MEMORY_HINT)
        return TargetError(what, got=tail or None)

    def _tail(self) -> str:
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace")[-_STDERR_TAIL:].split("\n")
        return "; ".join([line.strip() for line in lines if line.strip()][-_LAST_LINES:])

    def _kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
