"""The host `ssh:user@board`: a machine that the user's own `ssh` reaches.

Nothing listens there and nothing stays running: a connection carries what is asked, and ends with the process
here. docs/hosts.md tells what a board needs and what is laid out on it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from paredown.errors import StorageError
from paredown.hosts import system, wheels
from paredown.hosts.board_link import Link, link_to
from paredown.hosts.ssh_connection import LOST, Address, SshProgram, parse_address
from paredown.hosts.told import machine_of
from paredown.machine import Counters, Machine, Throttling
from paredown.protocols import Host

SUMMARY = "a board that your own ssh reaches, with Python 3.11 or newer: ssh:user@board"

_COMPUTED_HERE = ("paredown", "opencv-python-headless", "faster-coco-eval")
"""Packages that change a result and are never installed on a board: their work is done on this machine."""


@dataclass(frozen=True)
class SshHost:
    """A board, as plain values: its connections belong to the process that asks.

    modules: of ours, that what runs there imports by name.
    """

    address: Address
    modules: tuple[str, ...] = ()
    times: bool = True

    @property
    def name(self) -> str:
        return f"ssh:{self.address}"

    def facts(self) -> Machine:
        table = self._link.ask_laid_out({"do": "facts"}, self.modules)
        here = {k: v for k, v in system.package_versions().items() if k in _COMPUTED_HERE}
        return machine_of({**table, "packages": {**table["packages"], **here}})

    def counters(self, pids: Sequence[int] = ()) -> Counters:
        table = self._link.ask_laid_out({"do": "counters", "pids": list(pids)}, self.modules)
        throttling = table.pop("throttling")
        now, since = frozenset(throttling["now"]), frozenset(throttling["since_start"])
        return Counters(**table, throttling=Throttling(throttling["events"], now, since))

    def put(self, file: Path) -> str:
        try:
            return self._link.send(*wheels.content(file), file.name)
        except StorageError as error:
            raise StorageError(
                f"{file.name} cannot be kept on the board {self.address}", got=error.got, hint=error.hint
            ) from error

    def with_modules(self, modules: Sequence[str]) -> SshHost:
        return replace(self, modules=tuple(sorted({*self.modules, *modules})))

    def spawn(self, module: str, arguments: Sequence[str] = ()) -> BoardProgram:
        link, modules = self._link, self.with_modules([module]).modules
        return link.patiently(lambda: BoardProgram(link, module, tuple(arguments), link.place(modules)))

    @property
    def _link(self) -> Link:
        return link_to(self.address)


class BoardProgram(SshProgram):
    """A running module of ours on a board, over a connection of its own.

    place: see `Link.place`. Raises ConnectionLost, TargetError where it cannot be started.
    """

    def __init__(self, link: Link, module: str, arguments: Sequence[str], place: dict[str, str]) -> None:
        super().__init__(link.address)
        self._link, self._mark = link, uuid.uuid4().hex
        started = {"do": "run", "module": module, "arguments": arguments, "mark": self._mark, **place}
        try:
            self.ask(started)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self.wait(0) == LOST:
            self._link.orphans.add(self._mark)  # a board behind a pulled cable does not know yet
        super().close()


def open(address: str = "") -> Host:
    """The board of that address; it is not asked anything yet. Raises UsageError."""
    return SshHost(parse_address(address))
