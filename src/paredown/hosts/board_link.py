"""A board that is asked for one thing after another, over a connection that is made anew where it was cut.

All that is asked may be asked twice. So a cut costs the time until the board is back, and a reboot that time.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from paredown.errors import ConnectionLost, StorageError, TargetError
from paredown.hosts import wheels
from paredown.hosts.device_package import DevicePackage, device_package
from paredown.hosts.ssh_connection import Address, SshProgram

T = TypeVar("T")

PATIENCE_S = 180.0
"""How long a board that answered before may be away: a small one takes a minute to start again."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 10.0
_INSTALL_S = 1800.0  # an SD card and a slow link
_SEND_S = 1800.0
_SPARE = 1.2  # of the bytes that are installed: directories, compiled Python


class Link:
    """The connection to one board. One question at a time; several threads may ask."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.orphans: set[str] = set()  # marks of programs whose connection was lost: to be ended there
        self._lock = threading.RLock()
        self._program: SshProgram | None = None
        self._answered = False  # once, ever
        self._places: dict[tuple[str, ...], dict[str, str]] = {}

    def ask(self, request: dict[str, Any], body: bytes = b"", timeout_s: float = 60.0) -> dict[str, Any]:
        """The answer; asked again while the board is away. Raises TargetError, StorageError."""
        return self.patiently(lambda: self._ask(request, body, timeout_s))

    def ask_laid_out(self, request: dict[str, Any], modules: tuple[str, ...]) -> dict[str, Any]:
        """The answer to what needs those modules there. Raises as `ask` and `place`."""
        return self.patiently(lambda: self._ask({**request, **self.place(modules)}, b"", 60.0))

    def patiently(self, attempt: Callable[[], T]) -> T:
        """What the attempt gives, tried again where the connection is lost, for as long as `PATIENCE_S`.

        A board that never answered is not waited for.
        """
        until, wait_s = time.monotonic() + PATIENCE_S, _FIRST_WAIT_S
        while True:
            try:
                found = attempt()
            except ConnectionLost:
                if not self._answered or time.monotonic() > until:
                    raise
                self._places.clear()  # a board that starts again may have been emptied
                time.sleep(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            else:
                self._answered = True
                return found

    def place(self, modules: tuple[str, ...]) -> dict[str, str]:
        """ "code" and "venv" on the board for those modules; the first contact lays them out.

        Raises TargetError, StorageError.
        """
        with self._lock:
            if modules not in self._places:
                self._places[modules] = self._laid_out(device_package(modules))
            return self._places[modules]

    def send(self, content: bytes, sha256: str, name: str) -> str:
        """Where the bytes lie on the board. They are sent once. Raises StorageError where they do not fit."""
        known = {"sha256": sha256, "name": name, "bytes": len(content)}
        path = self.ask({"do": "have", **known})["path"]
        if path is None:
            path = self.ask({"do": "store", **known, "size": len(content)}, content, _SEND_S)["path"]
        return str(path)

    def close(self) -> None:
        """End the connection; it is made anew when it is needed."""
        with self._lock:
            if self._program is not None:
                self._program.close()
            self._program = None

    def _ask(self, request: dict[str, Any], body: bytes, timeout_s: float) -> dict[str, Any]:
        with self._lock:
            program = self._program = self._program or SshProgram(self.address)
            try:
                for mark in tuple(self.orphans):
                    program.ask({"do": "end", "mark": mark})
                    self.orphans.discard(mark)  # another thread may have added one meanwhile
                return program.ask(request, body, timeout_s)
            except (StorageError, TargetError) as error:
                if isinstance(error, ConnectionLost) or program.wait(0) is not None:
                    self.close()
                raise

    def _laid_out(self, package: DevicePackage) -> dict[str, str]:
        seen = self.ask({"do": "look"})
        key = wheels.venv_key(seen, package.pins)
        self._require_space(seen, package, installed=key in seen["venvs"])
        self.send(package.zipped, package.sha256, "code.zip")
        code = self.ask({"do": "unpack", "sha256": package.sha256, "name": "code.zip"})["path"]
        return {"code": code, "venv": self._installed(seen, key, package)}

    def _require_space(self, seen: dict[str, Any], package: DevicePackage, *, installed: bool) -> None:
        needed = len(package.zipped) if installed else round(_SPARE * package.installed_bytes)
        if seen["free_bytes"] < needed:
            raise StorageError(
                f"the disk of the board {self.address} is too full for the device package",
                got=f"{seen['free_bytes'] / 1e6:.0f} MB free",
                expected=f"{needed / 1e6:.0f} MB",
                hint="make room in its home directory; ~/.cache/paredown there may be deleted as a whole",
            )

    def _installed(self, seen: dict[str, Any], key: str, package: DevicePackage) -> str:
        """The venv: from a folder of wheels that the user named, by the board's own pip, by ours."""
        wanted: dict[str, Any] = {"do": "install", "key": key, "pins": package.pins, "wheels": []}
        if key in seen["venvs"] or wheels.folder() is None:
            try:
                return str(self.ask(wanted, timeout_s=_INSTALL_S)["path"])
            except ConnectionLost:
                raise
            except TargetError as error:
                reason = f"the board itself: {error.got}"
        else:
            reason = ""
        files = wheels.fetched(seen, package.pins, reason)
        wanted["wheels"] = [self._send_file(file) for file in files]
        return str(self.ask(wanted, timeout_s=_INSTALL_S)["path"])

    def _send_file(self, file: Path) -> str:
        content, sha256 = wheels.content(file)
        return self.send(content, sha256, file.name)


_links: list[Link] = []


def link_to(address: Address) -> Link:
    """The link of this process to the board."""
    return _link_to(address, os.getpid())


@atexit.register
def close_links() -> None:
    """End every connection; they are made anew when they are needed."""
    for link in _links:
        link.close()


@cache
def _link_to(address: Address, pid: int) -> Link:
    _links.append(Link(address))
    return _links[-1]
