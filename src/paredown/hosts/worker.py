"""The process that runs units: `python -m paredown.hosts.worker FD`, and the other end of it.

Both ends send pickles over one socket: here a function and what it is given, there ("value", it) or
("error", what it raised). Both are processes of one user, started by one another. The process ends with the
socket, whatever it is doing then: a study that was killed leaves none behind.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from paredown.errors import ParedownError


class Worker:
    """A process that calls one function after the other. It has a session of its own, so that Ctrl-C reaches
    the parent only. temporary: the folder for its temporary files, which it may leave behind."""

    def __init__(self, temporary: str) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno() if _has_descriptor(sys.stderr) else subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env={
                    **os.environ,
                    "TMPDIR": temporary,
                    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                },
            )
        self.connection = Connection(ours.detach())

    def start(self, function: Callable[..., Any], given: tuple[Any, ...]) -> None:
        """Sends the call. Raises OSError where the process is gone."""
        self.connection.send_bytes(pickle.dumps((function, given)))

    def answer(self) -> Any:
        """What the function gave, or its error raised. Raises EOFError where the process died."""
        try:
            kind, value = pickle.loads(self.connection.recv_bytes())
        except ConnectionError as e:
            raise EOFError from e
        if kind == "error":
            raise value
        return value

    def how_it_ended(self) -> str:
        """ "by SIGKILL", or "with exit code 1", of a process that died."""
        code = self._process.wait()
        return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        """End it, at once."""
        self.connection.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def _has_descriptor(stream: Any) -> bool:
    try:
        return int(stream.fileno()) >= 0
    except (AttributeError, OSError, ValueError):  # a stream of a test or a notebook
        return False


def _serve(descriptor: int) -> NoReturn:
    """Answers until the socket ends."""
    connection = Connection(descriptor)
    asked: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, asked), daemon=True).start()
    while True:
        try:
            function, given = pickle.loads(asked.get())
            answer = ("value", function(*given))
        except Exception as e:  # whatever it raises is its answer
            answer = ("error", _sendable(e))
        connection.send_bytes(pickle.dumps(answer))


def _listen(connection: Connection, asked: queue.SimpleQueue[bytes]) -> None:
    """Takes in what is asked; ends the process with the socket, even in the middle of a call."""
    while True:
        try:
            asked.put(connection.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)


def _sendable(error: Exception) -> Exception:
    """The error, or one with its words where it cannot be sent itself."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever its class does to be made anew
        return ParedownError(f"a defect in paredown: {type(error).__name__}: {error}")
    return error


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
