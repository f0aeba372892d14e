"""The system's own OpenSSH: keys, config, jump hosts and known host keys are the user's.

What runs on the board is one fixed command, which reads all else from its input: nothing that anybody typed
becomes part of a command line there, and here arguments reach `ssh` as a list, behind `--`.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from paredown.errors import ConnectionLost, StorageError, TargetError, UsageError
from paredown.hosts.program import Program

CONFIG = "PAREDOWN_SSH_CONFIG"
"""Environment variable: a file that `ssh` reads instead of the user's own configuration."""

OPTIONS = (
    "-T",  # no terminal: bytes pass as they are
    *("-o", "BatchMode=yes"),  # it never asks for a password in the middle of a night's run
    *("-o", "ConnectTimeout=15"),
    *("-o", "ServerAliveInterval=10"),  # a cable that was pulled is noticed after half a minute
    *("-o", "ServerAliveCountMax=3"),
    *("-o", "ClearAllForwardings=yes"),
    *("-o", "LogLevel=ERROR"),
)
LEAST_PYTHON = (3, 11)
NO_PYTHON = 90  # exit code of the command below
LOST = 255  # exit code of ssh where the connection failed or broke

_START = "import sys; exec(eval(sys.stdin.buffer.readline()))"
_NEW_ENOUGH = f"import sys; sys.exit(sys.version_info < {LEAST_PYTHON})"
REMOTE = (
    "exec /bin/sh -c '"
    'PATH="$PATH:/usr/local/bin:$HOME/.local/bin"; '
    "for p in python3 python3.14 python3.13 python3.12 python3.11; do "
    f'if "$p" -c "{_NEW_ENOUGH}" </dev/null >/dev/null 2>&1; then exec "$p" -I -c "{_START}"; fi; done; '
    f"python3 --version >&2; exit {NO_PYTHON}'"
)
"""What every connection starts: the first Python there that is new enough, told by its input what to do."""

_DESTINATION = re.compile(r"(?:[A-Za-z0-9_][\w.+-]*@)?[A-Za-z0-9_][\w.-]*")
_ROOM = "make room in its home directory; ~/.cache/paredown/files there may be deleted"
_ANSWER_S = 60.0  # for an answer that takes no work; a stalled connection is found out by ssh itself


@dataclass(frozen=True)
class Address:
    """destination: "board", "user@board", or a name in the user's ssh config. port: 0 is as configured."""

    destination: str
    port: int = 0

    def __str__(self) -> str:
        return f"{self.destination}:{self.port}" if self.port else self.destination

    @property
    def by_hand(self) -> str:
        """The command by which the user gets in."""
        return f"ssh -p {self.port} {self.destination}" if self.port else f"ssh {self.destination}"


def parse_address(text: str) -> Address:
    """ "pi@raspberrypi", "board:2222". Raises UsageError for what could be anything else than an address."""
    destination, colon, port = text.partition(":")
    fits = _DESTINATION.fullmatch(destination) and (not colon or (port.isdecimal() and 0 < int(port) < 65536))
    if not fits:
        raise UsageError(
            "this is no address of a board",
            got=text,
            expected="ssh:board, ssh:user@board or ssh:user@board:port",
            hint="IPv6, jump hosts and keys get a name in ~/.ssh/config, which then stands here",
        )
    return Address(destination, int(port or 0))


def command(address: Address) -> list[str]:
    """The command line here that runs `REMOTE` there. Raises TargetError."""
    if shutil.which("ssh") is None:
        raise TargetError(
            "a host over SSH needs the program ssh", hint="install OpenSSH's client (openssh-client)"
        )
    config = os.environ.get(CONFIG)
    own = ["-F", config] if config else []
    port = ["-p", str(address.port)] if address.port else []
    return ["ssh", *own, *OPTIONS, *port, "--", address.destination, REMOTE]


class SshProgram(Program):
    """A connection that answers requests (`on_board.py`); its pipes are those of the ssh that leads there.

    Whether it stands is told by the first answer.
    """

    def __init__(self, address: Address) -> None:
        super().__init__(command(address))
        self.address, self._chatter = address, ""
        with suppress(OSError):  # an ssh that has ended: the first answer says why
            self.stdin.write(_bootstrap())
            self.stdin.flush()

    def wait(self, timeout_s: float) -> int | None:
        """The program's exit code, minus the signal's number where one ended it."""
        code = super().wait(timeout_s)
        return code if code is None or code == LOST or code <= 128 else 128 - code

    def lost(self) -> bool:
        """Whether the connection broke, and not the program."""
        return self.wait(1.0) == LOST

    def ask(self, request: dict[str, Any], body: bytes = b"", timeout_s: float = _ANSWER_S) -> dict[str, Any]:
        """The answer to a request. Raises ConnectionLost, StorageError, TargetError."""
        limit = threading.Timer(timeout_s, self.kill)
        limit.start()
        try:
            self.stdin.write(json.dumps(request).encode() + b"\n")
            self.stdin.write(body)
            self.stdin.flush()
            line = self._reply()
        except OSError:  # the pipe to an ssh that has ended
            line = b""
        finally:
            limit.cancel()
        if not line.endswith(b"\n"):
            raise self.failure()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            number = answer["errno"]
            kind = StorageError if number is not None else TargetError
            hint = _ROOM if number in (errno.ENOSPC, errno.EDQUOT) else None
            raise kind(f"the board {self.address} could not {request['do']}", got=answer["error"], hint=hint)
        return answer

    def _reply(self) -> bytes:
        """The next answer. What a login prints by itself, as an `echo` in ~/.bashrc does, is passed over."""
        while (line := self.stdout.readline()) and not line.startswith(b"{"):
            self._chatter = line.decode(errors="replace").strip() or self._chatter
        return line

    def failure(self) -> TargetError:
        """Why there is no answer: what `ssh` and the board say about it."""
        code, said = self.wait(5.0), f"{self._chatter}\n{self.errors().strip()}".strip()
        if code == NO_PYTHON:
            return TargetError(
                f"no Python on the board {self.address} is new enough",
                got=said or "no python3",
                expected="Python {}.{} or newer".format(*LEAST_PYTHON),
                hint="install one there as python3.12, beside the system's own",
            )
        last = "; ".join(said.splitlines()[-2:])
        for words, hint in _REFUSALS.items():
            if words.lower() in said.lower():
                return TargetError(f"the board {self.address} cannot be reached", got=last, hint=hint)
        if code == LOST or code is None or code < 0:
            return ConnectionLost(
                f"the connection to the board {self.address} failed",
                got=last or "no answer",
                hint=f"is it on, and in the network? `{self.address.by_hand}` has to get in",
            )
        return TargetError(f"the board {self.address} gave no answer (exit code {code})", got=last or None)


_REFUSALS = {
    "host key verification failed": "its host key is new or has changed: find out why, then use `ssh` once",
    "permission denied (": "let your key in with `ssh-copy-id`; plain `ssh` has to ask for no password",
    "bad configuration option": "look at the ssh config",
    "bad owner or permissions": "look at the ssh config",
    "can't open user config file": f"look at {CONFIG}",
}
"""What ssh says that trying again does not change -> what to do."""


@cache
def _bootstrap() -> bytes:
    """The text of `on_board.py` as one line."""
    text = resources.files("paredown.hosts").joinpath("on_board.py").read_text(encoding="utf-8")
    return ascii(text).encode() + b"\n"
