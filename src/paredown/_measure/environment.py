"""The surroundings of a measurement, as plain values. No host name, user name or path: reports travel."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from paredown.protocols import Host


def environment(host: Host, threads: int = 0) -> Mapping[str, object]:
    """CPU, memory, system, package versions and date; what the host's system does not tell is left out.

    threads: as asked for; 0 is recorded as the number of cores it stands for.
    """
    machine = host.facts()
    facts: dict[str, object] = {
        "cpu": machine.cpu,
        "board": machine.board,
        "arch": machine.arch,
        "instruction_sets": sorted(machine.instruction_sets),
        "cores_physical": machine.cores_physical,
        "cores_logical": machine.cores_logical,
        "cores_usable": machine.cores_usable,
        "threads": threads or machine.cores_usable,
        "frequency_max_mhz": machine.frequency_max_mhz,
        "governor": ", ".join(sorted(machine.governors)),
        "memory_bytes": machine.memory_bytes,
        "swap_bytes": machine.swap_bytes,
        "os": machine.os,
        "kernel": machine.kernel,
        "virtualization": machine.virtualization,
        "python": machine.python,
        "packages": dict(machine.packages),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return {key: value for key, value in facts.items() if value not in (None, "")}


def saturated(facts: Mapping[str, object]) -> bool:
    """Whether the CPU of these surroundings cuts off sums of 8-bit products; False where nothing is known."""
    have = facts.get("instruction_sets")
    return facts.get("arch") == "x86_64" and isinstance(have, list | tuple) and "vnni" not in have


def threads_set(facts: Mapping[str, object]) -> int:
    """The number of threads that somebody chose; 0 where it was one for each usable core."""
    threads = facts.get("threads")
    return threads if isinstance(threads, int) and threads != facts.get("cores_usable") else 0
