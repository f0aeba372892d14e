"""A host as anyone may add one: a board on the bench, which this machine stands for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from paredown.hosts.local import LocalHost
from paredown.machine import Machine
from paredown.protocols import Host

SUMMARY = "a machine on the bench"


@dataclass(frozen=True)
class Bench(LocalHost):
    def facts(self) -> Machine:
        return replace(super().facts(), board="a board on the bench")


def open(address: str = "") -> Host:
    return Bench(name=f"bench:{address}")
