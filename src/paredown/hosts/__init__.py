"""Hosts: the machines that models run on. `open_host(name)` gives one; nobody else asks "this machine".

A host is a file with `open(address) -> Host` and a line in HOSTS.
"""

from __future__ import annotations

import difflib
import importlib
from typing import cast

from paredown.errors import UnknownName
from paredown.protocols import Host

HOSTS = {
    "local": "paredown.hosts.local",
    "ssh": "paredown.hosts.ssh",
    "emulated": "paredown.hosts.emulated",
}
"""Scheme, what stands before the colon of a host's name -> the module that opens it, imported when asked."""


def open_host(name: str = "local") -> Host:
    """The host of a name: "local", or "scheme:address". Raises UnknownName."""
    scheme, _, address = name.partition(":")
    if scheme not in HOSTS:
        raise UnknownName("host", name, HOSTS, hint=_hint(scheme, name))
    return cast(Host, importlib.import_module(HOSTS[scheme]).open(address))


def _hint(scheme: str, name: str) -> str:
    """What was perhaps meant by a host that is none: a scheme mistyped, or the bare name of a board."""
    close = difflib.get_close_matches(scheme, HOSTS, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0] + name[len(scheme) :]!r}?"
    return f"a board is reached as ssh:user@{name.rpartition('@')[2]}, with the user's name there"
