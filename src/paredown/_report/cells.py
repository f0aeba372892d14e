"""A quantity in a table: its value, what is small below it, and on hover what it was made of."""

from __future__ import annotations

from paredown._report.format import DASH, bare, fps, interval, plural
from paredown._report.html import Html, tag
from paredown.measurement import Quantity
from paredown.metrics import kind_of


def value(quantity: Quantity | None) -> Html:
    """The value without its unit; below it the interval, and how it was obtained where by estimate."""
    if quantity is None:
        return tag("span", DASH)
    kind = kind_of(quantity.name)
    rate = fps(quantity.value) if kind.rate and not kind.against_float else ""
    small = [rate, interval(quantity), "" if quantity.how in ("measured", "derived") else quantity.how]
    return tag("span", bare(quantity), [tag("small", s) for s in small if s], title=made_of(quantity))


def made_of(quantity: Quantity) -> str:
    """ "measured, from 300 samples, interval by bootstrap over rounds" """
    words: list[str] = [quantity.how]
    if len(quantity.samples) > 1:
        words.append(f"from {plural(len(quantity.samples), 'sample')}")
    if quantity.ci:
        words.append(f"interval by {quantity.ci}" if quantity.low is not None else quantity.ci)
    return ", ".join(words)
