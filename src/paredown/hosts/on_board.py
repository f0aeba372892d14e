"""What a board answers over a connection. Its text is sent over each, so nothing of it stays there.

Standard library only. A request is a line of JSON, and bytes where it says "size"; the answer is a line of
JSON. The end of its input ends it. What is kept lies under `~/.cache/paredown` and appears there whole:

    files/SHA256/NAME    models and wheels that were sent
    code/SHA256/         the part of paredown that works here
    venv/KEY/            numpy and a runtime, for one set of versions
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import platform
import select
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

KEPT = os.path.join(os.path.expanduser("~"), ".cache", "paredown")
BLOCK = 1 << 20
PIP = (
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--no-input",
    "--only-binary",
    ":all:",
    "--no-deps",
)
PIP_WAITS = ("--retries", "1", "--timeout", "15")  # a board without network is told from a slow one


def look(request: dict[str, Any]) -> dict[str, Any]:
    """What decides what can be installed."""
    os.makedirs(KEPT, exist_ok=True)
    libc, libc_version = platform.libc_ver()
    return {
        "python": platform.python_version(),
        "machine": platform.machine().lower(),
        "libc": libc,
        "libc_version": libc_version,
        "free_bytes": shutil.disk_usage(KEPT).free,
        "venvs": os.listdir(os.path.join(KEPT, "venv")) if os.path.isdir(os.path.join(KEPT, "venv")) else [],
    }


def have(request: dict[str, Any]) -> dict[str, Any]:
    """The path of a file that was sent before, None where it was not."""
    path = _path_of(request)
    whole = os.path.isfile(path) and os.path.getsize(path) == request["bytes"]
    return {"path": path if whole else None}


def store(request: dict[str, Any]) -> dict[str, Any]:
    """Take a file; it appears once it is whole and on the disk, also where the power is cut right then."""
    path, left, digest = _path_of(request), request["size"], hashlib.sha256()
    problem = None
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=os.path.dirname(path), delete=False) as part:
            try:
                while left:
                    block = sys.stdin.buffer.read(min(left, BLOCK))
                    if not block:
                        raise EOFError("the connection was cut")
                    left -= len(block)
                    digest.update(block)
                    part.write(block)
                part.flush()
                os.fsync(part.fileno())
                if digest.hexdigest() != request["sha256"]:
                    raise OSError("another file arrived than was sent")
                os.replace(part.name, path)
            except BaseException:
                os.unlink(part.name)
                raise
    except OSError as error:
        problem = error
    while left:  # what is not kept must not be taken for the next request
        left -= len(sys.stdin.buffer.read(min(left, BLOCK)) or b"\0" * left)
    if problem is not None:
        raise problem
    return {"path": path}


def unpack(request: dict[str, Any]) -> dict[str, Any]:
    """The folder of the code in a zip that was sent."""
    folder = os.path.join(KEPT, "code", request["sha256"])
    if not os.path.isdir(folder):
        _appear(folder, lambda part: _extract(_path_of(request), part))
    return {"path": folder}


def install(request: dict[str, Any]) -> dict[str, Any]:
    """A venv with the packages: from wheels that were sent, else by this board's own pip."""
    folder = os.path.join(KEPT, "venv", request["key"])

    def make(part: str) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", part], check=True, capture_output=True)
        for wheel in request["wheels"]:
            _extract(wheel, _packages_of(part))
        if not request["wheels"]:
            _by_pip(os.path.join(part, "bin", "python"), request["pins"])

    if not os.path.isdir(folder):
        _appear(folder, make)
    return {"path": folder}


def facts(request: dict[str, Any]) -> dict[str, Any]:
    """The facts of this machine."""
    return {key: _plain(value) for key, value in asdict(_this_machine(request).facts()).items()}


def counters(request: dict[str, Any]) -> dict[str, Any]:
    """What this machine counts now."""
    plain: dict[str, Any] = _plain(asdict(_this_machine(request).counters(request["pids"])))
    return plain


def end(request: dict[str, Any]) -> dict[str, Any]:
    """End the program that was started with this mark, where it still runs: its connection is gone."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if b"PAREDOWN_MARK=" + request["mark"].encode() in file.read().split(b"\0"):
                    os.kill(int(pid), signal.SIGKILL)
                    found.append(int(pid))
        except OSError:  # it ended meanwhile, or is another user's
            continue
    return {"ended": found}


def run(request: dict[str, Any]) -> None:
    """Become the parent of a program that has this connection to itself, and end it when that is cut.

    The program inherits the pipes. This process only waits, so it takes no processor time from it.
    """
    _say({"started": True})
    python = os.path.join(request["venv"], "bin", "python")
    surroundings = {**os.environ, "PYTHONPATH": request["code"], "PAREDOWN_MARK": request["mark"]}
    child = subprocess.Popen(
        [python, "-s", "-P", "-m", request["module"], *request["arguments"]], env=surroundings
    )
    ended, told = os.pipe()
    threading.Thread(target=lambda: (child.wait(), os.write(told, b".")), daemon=True).start()
    poller = select.poll()
    poller.register(1, 0)  # nobody reads our answers any more: that is told without being asked for
    poller.register(ended, select.POLLIN)
    poller.poll()
    if child.poll() is None:
        child.kill()
    code = child.wait()
    sys.exit(code if code >= 0 else 128 - code)  # as a shell tells a signal


def serve() -> None:
    """Answer requests until there are no more."""
    known = {f.__name__: f for f in (look, have, store, unpack, install, facts, counters, end)}
    for line in iter(sys.stdin.buffer.readline, b""):
        request = json.loads(line)
        if request["do"] == "run":
            run(request)
        try:
            answer = known[request["do"]](request)
        except subprocess.CalledProcessError as error:
            answer = {"error": _last_line(error.stderr or error.stdout) or str(error), "errno": None}
        except Exception as error:  # whatever it is: the asker is told, and may ask for something else
            answer = {"error": str(error) or type(error).__name__, "errno": getattr(error, "errno", None)}
        _say(answer)


def _path_of(request: dict[str, Any]) -> str:
    return os.path.join(KEPT, "files", request["sha256"], os.path.basename(request["name"]))


def _appear(folder: str, make: Callable[[str], None]) -> None:
    """The folder that `make` fills; it appears once it is whole, or not at all."""
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    part = tempfile.mkdtemp(prefix=".part-", dir=os.path.dirname(folder))
    try:
        make(part)
        os.sync()
        os.rename(part, folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        if not os.path.isdir(folder):  # else another process was faster
            raise


def _extract(archive: str, folder: str) -> None:
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)


def _by_pip(python: str, pins: list[str]) -> None:
    """Raises RuntimeError where this board has no pip, CalledProcessError where that does not find them."""
    ensured = subprocess.run([python, "-m", "ensurepip"], capture_output=True)
    if ensured.returncode != 0:
        raise RuntimeError("there is no pip, and the module ensurepip is missing")
    subprocess.run([python, "-m", "pip", *PIP, *PIP_WAITS, *pins], check=True, capture_output=True)


def _packages_of(venv: str) -> str:
    return os.path.join(venv, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")  # noqa: UP031


def _this_machine(request: dict[str, Any]) -> Any:
    """The host `local` as it is here."""
    if request["code"] not in sys.path:
        sys.path.insert(0, request["code"])
        site.addsitedir(_packages_of(request["venv"]))
    return importlib.import_module("paredown.hosts.local").open()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    return sorted(value) if isinstance(value, frozenset | set) else value


def _last_line(output: bytes) -> str:
    return (output.decode(errors="replace").strip().splitlines() or [""])[-1]


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve()
