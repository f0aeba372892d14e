"""What is typed on a command line, read: durations, amounts with their units, names, numbers, sizes."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

from paredown.quantities import UNITS


def duration(text: str) -> float:
    """Seconds from "90", "90s", "30m", "2h"."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 90s, 30m or 2h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def span(text: str) -> float:
    """Seconds of something that must last: as `duration`, but not none."""
    seconds = duration(text)
    if seconds == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time at all: write 90s, 30m or 2h")
    return seconds


def amount(unit: str) -> Callable[[str], float]:
    """What reads an amount with its unit: amount("s") makes 0.033 of "33", "33ms" and "0.033s"."""
    look = UNITS[unit]

    def read(text: str) -> float:
        match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z%]*)", text.strip().lower())
        if match is None or match[2] not in look.spellings:
            raise argparse.ArgumentTypeError(f"{text!r} is not understood: write {look.example}")
        base = float(match[1]) * look.spellings[match[2]] / look.scale
        return round(base) if look.whole else base

    return read


def names(text: str) -> tuple[str, ...]:
    """The parts of "a,b,c"."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def number(text: str) -> float:
    """A number that is zero or more."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} must be zero or more")
    return value


def count(text: str) -> int:
    """A whole number that is zero or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of zero or more")
    return int(text)


def some(text: str) -> int:
    """A whole number above zero."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above zero")
    return int(text)


def sizes(text: str) -> tuple[int, ...] | str:
    """The pixels of "640,416", or "auto"."""
    if text.strip() == "auto":
        return "auto"
    parts = names(text)
    found = tuple(int(part) for part in parts if part.isdecimal())
    if not found or 0 in found or len(found) < len(parts):
        raise argparse.ArgumentTypeError(f"{text!r} names no sizes in pixels, such as 640,416, or auto")
    return found
