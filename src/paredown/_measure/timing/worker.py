"""The measured process: opens one model and times it when told. `python -m paredown._measure.timing.worker`

Talks JSON lines. It reads a job {"files", "runtime", ...} and the bytes of the feeds, answers how loading
went, then obeys "run N" with N latencies, "specs" with the model's inputs and outputs, "answer FEEDS" with
what it says of other feeds, whose bytes follow, and "quit". The end of its input ends it, so it cannot
outlive its parent. `feeds` is a list of [name, dtype, shape]; the bytes follow in that order and touch no
disk, so nothing of them stays behind, however a process ends.
Imports as little as possible, since its memory is measured: numpy and the runtime.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TextIO

import numpy as np

from paredown.errors import ParedownError
from paredown.hosts.memory import peak_resident_bytes, resident_bytes
from paredown.protocols import Array, Artifact, Session

_SPECS = ("inputs", "outputs")


def main() -> None:
    """Serve one job from stdin until "quit"."""
    answers = _claim_stdout()
    commands = sys.stdin.buffer
    job = json.loads(commands.readline())
    try:
        session, feeds = _load(job, commands, answers)
        for line in commands:
            command, _, given = line.decode().strip().partition(" ")
            if command == "quit":
                return
            if command == "specs":
                _say(answers, {kind: [vars(s) for s in getattr(session, kind)] for kind in _SPECS})
            elif command == "answer":
                _say(answers, {"answers": _spelled(session.run(_feeds(json.loads(given), commands)))})
            else:
                _say(answers, _timed_runs(session, feeds, int(given)))
    except MemoryError as e:
        _say(answers, {"error": "OutOfMemory", "what": "out of memory", "got": str(e) or None})
    except ParedownError as e:
        parts = {part: None if value is None else str(value) for part, value in vars(e).items()}
        _say(answers, {"error": type(e).__name__, **parts})


def _load(job: dict[str, Any], commands: IO[bytes], answers: TextIO) -> tuple[Session, dict[str, Array]]:
    """The open model and its feeds; says how long opening took and what memory was held before it."""
    feeds = _feeds(job["feeds"], commands)
    runtime = importlib.import_module(job["runtime"])
    artifact = Artifact(tuple(map(Path, job["files"])), job["sha256"], job["size_bytes"])
    gc.collect()
    before_bytes, start = resident_bytes(), time.perf_counter()
    session: Session = runtime.open(artifact, threads=job["threads"])
    load_s = time.perf_counter() - start
    loaded = {"load_s": load_s, "before_bytes": before_bytes, "loaded_bytes": resident_bytes()}
    _say(answers, {"pid": os.getpid(), **loaded})
    return session, feeds


def _feeds(listed: Sequence[Sequence[Any]], commands: IO[bytes]) -> dict[str, Array]:
    return {name: _array(commands, dtype, shape) for name, dtype, shape in listed}


def _spelled(arrays: Mapping[str, Array]) -> list[list[Any]]:
    """[name, dtype, shape, bytes in base 64] of each."""
    encode = importlib.import_module("base64").b64encode  # not where memory is measured
    return [[name, a.dtype.str, a.shape, encode(a.tobytes()).decode()] for name, a in arrays.items()]


def _array(stream: IO[bytes], dtype: str, shape: Sequence[int]) -> Array:
    """The next array of the stream, read where it stays: no copy of it counts as the model's memory."""
    array: Array = np.empty(shape, dtype)
    left = array.reshape(-1).view(np.uint8).data
    while left:
        count = stream.readinto(left)  # type: ignore[attr-defined]
        if not count:
            raise EOFError("the feeds end early")
        left = left[count:]
    return array


def _timed_runs(session: Session, feeds: Mapping[str, Array], count: int) -> dict[str, Any]:
    """Latency of, and clock and memory after, each of `count` inferences; processor and wall time of all."""
    latency_s, end_s, held_bytes = [0.0] * count, [0.0] * count, [0] * count
    gc.disable()  # a collection inside one inference would be counted as the model's
    cpu_start, wall_start = time.process_time(), time.perf_counter()
    for i in range(count):
        start = time.perf_counter()
        session.run(feeds)
        latency_s[i] = time.perf_counter() - start
        end_s[i], held_bytes[i] = time.monotonic(), resident_bytes()
    cpu_s, wall_s = time.process_time() - cpu_start, time.perf_counter() - wall_start
    gc.enable()
    return {
        "latency_s": latency_s,
        "end_s": end_s,
        "held_bytes": held_bytes,
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "peak_bytes": peak_resident_bytes(),
    }


def _claim_stdout() -> TextIO:
    """The real stdout, for answers alone: what a runtime prints goes to stderr from here on."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _say(answers: TextIO, message: Mapping[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
