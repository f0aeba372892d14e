"""Whether a processor was slowed down by heat or power, as far as its system shows it."""

from __future__ import annotations

from paredown.machine import STATES, Throttling


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
