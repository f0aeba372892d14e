"""Work in a fresh process, which says in its last line of output, as JSON, what came of it."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from paredown.no_telemetry import all_switches

_POLL_S = 0.1


@dataclass(frozen=True)
class Limits:
    """What the process may use before it is stopped."""

    memory_bytes: float = 8e9
    seconds: float = 1800.0


class Failed(Exception):
    """The process brought no result. The text is one line: its first error, or the limit it broke."""


def run_fresh(command: Sequence[str], limits: Limits, env: dict[str, str] | None = None) -> dict[str, Any]:
    """The JSON object in the last line the process wrote. Raises Failed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        env = {**(env or os.environ), **all_switches()}
        process = subprocess.Popen(command, stdout=out, stderr=err, env=env)
        try:
            _watch(process, limits)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
    if process.returncode != 0:
        raise Failed(_first_error(texts[1], process.returncode))
    last = texts[0].strip().splitlines()[-1:] or [""]
    try:
        answer: dict[str, Any] = json.loads(last[0])
    except json.JSONDecodeError as e:
        raise Failed(f"no result in its last line: {last[0][:100]!r}") from e
    return answer


def own_child(args: argparse.Namespace, name: str, work: str, card: Path) -> dict[str, Any]:
    """What this benchmark says of one piece of work on a model in a process of its own, or its error."""
    own = ["--work", work, "--card", str(card), "--models", name, "--material", str(args.material)]
    counts = ["--images", str(args.images), "--threads", str(args.threads)]
    try:
        return run_fresh([sys.executable, sys.argv[0], *own, *counts], Limits())
    except Failed as e:
        return {"error": str(e)}


def _watch(process: subprocess.Popen[bytes], limits: Limits) -> None:
    """Waits for the end. Raises Failed where a limit is broken first."""
    started, watched = time.monotonic(), psutil.Process(process.pid)
    while process.poll() is None:
        try:
            held = watched.memory_info().rss
        except psutil.NoSuchProcess:
            held = 0
        if held > limits.memory_bytes:
            raise Failed(f"stopped: it needed more than {limits.memory_bytes / 1e9:g} GB")
        if time.monotonic() - started > limits.seconds:
            raise Failed(f"stopped: it needed more than {limits.seconds / 60:g} minutes")
        time.sleep(_POLL_S)


def _first_error(text: str, code: int) -> str:
    """The line that names the error: the first behind the traceback, where there is one."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    start = max((i for i, line in enumerate(lines) if line.startswith("Traceback")), default=-1)
    named = [line for line in lines[start + 1 :] if not line.startswith((" ", "\t"))]
    if start >= 0 and named:
        return named[0][:300]
    return (lines[-1] if lines else f"ended with code {code}")[:300]
