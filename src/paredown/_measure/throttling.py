"""Whether the processor is slowed down by heat or power, as far as the system shows it.

Two places tell: the kernel's counters of thermal throttling (Intel), and the Raspberry Pi firmware's word.
Bits of the latter, from Raspberry Pi's documentation of `vcgencmd get_throttled`: 0 under-voltage, 1 clock
capped, 2 throttled, 3 soft temperature limit; the same plus 16: has been so since the board was started.
"""

from __future__ import annotations

from dataclasses import dataclass
from glob import glob

from paredown.hosts.cpu import read_text

BOARD = "/sys/devices/platform/soc/soc:firmware/get_throttled"  # hexadecimal, with or without 0x
STATES = ("under-voltage", "clock rate capped", "throttled", "soft temperature limit reached")
_SINCE_START = 16


@dataclass(frozen=True)
class Throttling:
    """events: how often the kernel counted. now, since_start: `STATES` that the board's firmware names."""

    events: int = 0
    now: frozenset[str] = frozenset()
    since_start: frozenset[str] = frozenset()


def throttling() -> Throttling:
    """The state at this moment; nothing where the system shows nothing."""
    counters = glob("/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count")
    events = sum(int(text) for text in map(read_text, counters) if text and text.isdigit())
    try:
        bits = int(read_text(BOARD) or "0", 16)
    except ValueError:
        bits = 0
    return Throttling(events, states(bits), states(bits >> _SINCE_START))


def states(bits: int) -> frozenset[str]:
    """The names of the lowest four bits that are set."""
    return frozenset(name for i, name in enumerate(STATES) if bits >> i & 1)


def slowed(before: Throttling, after: Throttling) -> str:
    """What slowed the processor down between the two, in words; "" where nothing is known to have."""
    board = before.now | after.now | (after.since_start - before.since_start)
    words = listed(board)
    if after.events > before.events:
        words.append("throttled by heat or power, as the kernel counted")
    return ", ".join(words)


def listed(found: frozenset[str]) -> list[str]:
    """The states in their order."""
    return [name for name in STATES if name in found]
