"""One timing at a time on each machine: whoever times there in this process takes its turn.

A study with several hosts times on all of them at once, each from a thread of its own; two timings on one
host would each slow the other. Making and judging may go on beside it on other hosts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from paredown.protocols import Host

_turns: dict[str, threading.RLock] = {}
_table = threading.Lock()


@contextmanager
def alone_on(host: Host) -> Iterator[None]:
    """Waits until nobody else of this process times on that host, and keeps others out meanwhile."""
    with _table:
        turn = _turns.setdefault(host.name, threading.RLock())
    with turn:
        yield
