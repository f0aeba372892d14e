"""The parent's end of a measured process: start it on its host, ask it, and be sure that it ends."""

from __future__ import annotations

import base64
import json
import queue
import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import numpy as np

from paredown.errors import (
    MEMORY_HINT,
    ConnectionLost,
    ModelError,
    OutOfMemory,
    ParedownError,
    TargetError,
    ran_out_of_memory,
)
from paredown.model import TensorSpec
from paredown.protocols import Array, Artifact, Host

_ERRORS: dict[str, type[ParedownError]] = {"ModelError": ModelError, "OutOfMemory": OutOfMemory}
_STDERR_TAIL = 1500  # characters: the end of a traceback, not a log
_LAST_LINES = 2
_QUIT_S = 2.0


class WorkerProcess:
    """A fresh process on a host with one compiled model. Leaving the `with` ends it, whatever happened.

    artifact: in files. runtime: the module that opens it. program: the module, and its arguments, that
    serves.
    """

    def __init__(
        self,
        host: Host,
        artifact: Artifact,
        runtime: str,
        feeds: Mapping[str, Array],
        *,
        threads: int,
        timeout_s: float,
        program: Sequence[str] = ("paredown._measure.timing.worker",),
    ) -> None:
        self._model, self._timeout_s = artifact.files[0].name, timeout_s
        self._feeds = {name: np.asarray(array, order="C") for name, array in feeds.items()}
        self._job = {
            "files": [host.put(file) for file in artifact.files],
            "sha256": artifact.sha256,
            "size_bytes": artifact.size_bytes,
            "runtime": runtime,
            "threads": threads,
            "feeds": _listed(self._feeds),
        }
        self._process = host.with_modules([runtime]).spawn(program[0], program[1:])
        self._sender: threading.Thread | None = None
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def load(self) -> dict[str, Any]:
        """What loading the model took: load_s, before_bytes, loaded_bytes; and the process's pid there."""
        # In a thread: what does not read its feeds would block us beyond every time limit.
        threading.Thread(target=self._send, args=("", self._feeds, self._job), daemon=True).start()
        return self._answer()

    def run(self, count: int) -> dict[str, Any]:
        """`count` inferences: latency_s, end_s, held_bytes of each, cpu_s and wall_s of all, peak_bytes."""
        with suppress(OSError):  # a dead process: its answer says so
            self._write(f"run {count}")
        return self._answer()

    def specs(self) -> dict[str, tuple[TensorSpec, ...]]:
        """The model's "inputs" and "outputs"."""
        with suppress(OSError):
            self._write("specs")
        tables = self._answer()
        return {
            kind: tuple(TensorSpec(t["name"], tuple(t["shape"]), t["dtype"]) for t in tables[kind])
            for kind in ("inputs", "outputs")
        }

    def ask(self, feeds: Mapping[str, Array]) -> None:
        """Send other feeds than those of the job, behind those that are still on their way."""
        arrays = {name: np.asarray(array, order="C") for name, array in feeds.items()}
        before = self._sender

        def send() -> None:
            if before is not None:
                before.join()
            self._send("answer ", arrays)

        self._sender = threading.Thread(target=send, daemon=True)
        self._sender.start()

    def answered(self) -> dict[str, Array]:
        """What the model says of the first feeds asked for that were not answered yet."""
        return {
            name: np.frombuffer(base64.b64decode(text), np.dtype(dtype)).reshape(shape)
            for name, dtype, shape, text in self._answer()["answers"]
        }

    def lost(self) -> bool:
        """Whether the connection to it broke: what it was asked may be asked again, of another."""
        return self._process.lost()

    def close(self) -> None:
        """End the process: politely, then by force."""
        if self._process.wait(0) is None:
            with suppress(OSError):
                self._write("quit")
                self._process.wait(_QUIT_S)
        self._process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._process.kill()  # do not wait for an inference nobody will read
        self.close()

    def _answer(self) -> dict[str, Any]:
        try:
            text = self._lines.get(timeout=self._timeout_s)
        except queue.Empty:
            self._process.kill()
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

    def _send(self, command: str, arrays: Mapping[str, Array], job: Mapping[str, Any] | None = None) -> None:
        """A line, the job or the command with a list of the arrays, and their bytes."""
        with suppress(OSError, ValueError):  # the process has died, or was ended: its answer says so
            self._write(command + json.dumps(_listed(arrays) if job is None else job))
            for array in arrays.values():
                self._process.stdin.write(array.tobytes())
            self._process.stdin.flush()

    def _write(self, line: str) -> None:
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        with suppress(ValueError):  # closed by us
            for line in self._process.stdout:
                self._lines.put(line.decode())
        self._lines.put("")  # the process has closed its end

    def _death(self) -> ParedownError:
        if self._process.lost():
            return ConnectionLost(
                f"the connection was lost while {self._model} ran", got=self._tail() or None
            )
        code = self._process.wait(_QUIT_S)
        if code is None:
            self._process.kill()
            code = self._process.wait(_QUIT_S) or 0
        how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        tail, what = self._tail(), f"the process measuring {self._model} died ({how})"
        if how == "SIGKILL":  # nobody else sends it unasked
            return OutOfMemory(f"{what}, as the system ends one when it is out of memory", hint=MEMORY_HINT)
        if ran_out_of_memory(RuntimeError(tail)):
            return OutOfMemory(f"{what}: out of memory", got=tail, hint=MEMORY_HINT)
        return TargetError(what, got=tail or None)

    def _tail(self) -> str:
        lines = self._process.errors()[-_STDERR_TAIL:].split("\n")
        return "; ".join([line.strip() for line in lines if line.strip()][-_LAST_LINES:])


def _listed(arrays: Mapping[str, Array]) -> list[list[Any]]:
    return [[name, a.dtype.str, a.shape] for name, a in arrays.items()]
