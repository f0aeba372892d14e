"""The one place where numbers become text, as `quantities` and `metrics` say of each."""

from __future__ import annotations

import math

from paredown.measurement import Quantity
from paredown.metrics import kind_of
from paredown.quantities import UNITS, Unit

THIN = "\u202f"  # narrow no-break space between a number and its unit
MINUS = "\u2212"
DASH = "\u2013"
TIMES = "\u00d7"


def look(quantity: Quantity) -> Unit:
    """How the quantity is shown: by its name where that is special, else by its unit."""
    return kind_of(quantity.name).look or UNITS.get(quantity.unit) or Unit(quantity.unit)


def number(value: float, decimals: int) -> str:
    """The value with a true minus sign and grouped thousands; "not a number" in words."""
    if not math.isfinite(value):
        return "not finite"
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.removeprefix("-")
    return text.replace("-", MINUS).replace(",", THIN)


def with_unit(text: str, unit: str) -> str:
    """ "29.5 ms"; signs like × and % stand close."""
    if unit in ("", TIMES):
        return text + unit
    return f"{text}{THIN}{unit}"


def shown(quantity: Quantity) -> str:
    """The value with its unit: "29.5 ms"."""
    how = look(quantity)
    return with_unit(number(quantity.value * how.scale, how.decimals), how.shown)


def told(quantity: Quantity) -> str:
    """The same, and how it was obtained where not by measuring: "1.8 mJ, estimated"."""
    how = "" if quantity.how in ("measured", "derived") else f", {quantity.how}"
    return shown(quantity) + how


def bare(quantity: Quantity) -> str:
    """The value without its unit, for a column whose head names it."""
    how = look(quantity)
    return number(quantity.value * how.scale, how.decimals)


def interval(quantity: Quantity) -> str:
    """The 95 % interval without the unit: "0.12 - 0.71", or "" where none was computed."""
    if quantity.low is None or quantity.high is None:
        return ""
    how = look(quantity)
    low, high = (number(v * how.scale, how.decimals) for v in (quantity.low, quantity.high))
    return f"{low} to {high}" if MINUS in low + high else f"{low} {DASH} {high}"


def fps(seconds: float) -> str:
    """Inferences of a second, one after the other: "32.9 FPS", "210 FPS"; "" where there is no time."""
    if seconds <= 0:
        return ""
    return with_unit(number(1 / seconds, 1 if seconds > 0.01 else 0), "FPS")


def ms(seconds: float) -> str:
    """ "30.4 ms (32.9 FPS)" """
    text = with_unit(number(seconds * 1e3, 1), "ms")
    return f"{text} ({fps(seconds)})" if seconds > 0 else text


def shown_whole(quantity: Quantity) -> str:
    """The value with its unit; a latency also in frames per second: "30.4 ms, 32.9 FPS"."""
    rate = fps(quantity.value) if kind_of(quantity.name).rate else ""
    return f"{shown(quantity)}, {rate}" if rate else shown(quantity)


def mb(size_bytes: float) -> str:
    """Megabytes of 10^6 bytes, two decimals below ten."""
    value = size_bytes / 1e6
    return with_unit(number(value, 2 if value < 10 else 1), "MB")


def kb_or_mb(size_bytes: float) -> str:
    """A size in the unit that suits it: "12 kB", "3.49 MB"."""
    return with_unit(number(size_bytes / 1e3, 0), "kB") if size_bytes < 1e6 else mb(size_bytes)


def points(value: float) -> str:
    return with_unit(number(value, 2), "points")


def percent(share: float) -> str:
    """A share of 1 in percent, with the decimals that a small one needs: "18 %", "0.4 %", "0.012 %"."""
    value = 100 * share
    limits = (9.95, 0.95, 0.095)  # from which on so many decimals are enough
    decimals = next((d for d, limit in enumerate(limits) if abs(value) >= limit), 3 if value else 0)
    return with_unit(number(value, decimals), "%")


def count(value: float) -> str:
    """A large count with a short scale: "8.7 G", "3.2 M", "941"."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return with_unit(number(value / limit, 2), letter)
    return number(value, 0)


def plural(n: int, noun: str) -> str:
    """ "1 image", "12 images", "3 classes"."""
    ending = "" if n == 1 else "es" if noun.endswith("s") else "s"
    return f"{number(n, 0)} {noun}{ending}"
