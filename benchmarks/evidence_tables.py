"""Sentences of docs/evidence.md and docs/report.md that hold a measured figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Result = Mapping[str, Any]


def coverage(result: Result) -> str:
    """How often the interval held the true difference, and how long one takes."""
    return (
        f"The 95 % interval held the true difference in {100 * result['covered']:.1f} % of "
        f"{result['cases']} simulated cases ({result['method']}; {result['images']} images each, drawn from "
        "4,000 of two detectors that share what is hard about an image). One of 200 images and 80 classes "
        f"takes {result['seconds_80_classes']:.1f} s of processor time.\n\n{_foot(result)}"
    )


def opens(result: Result) -> str:
    """How long the page takes to open."""
    seconds = ", ".join(f"{s:.2f}" for s in sorted(result["seconds"]))
    return (
        f"With {result['trials']} trials of {result['models']} models the page over all has "
        f"{result['bytes'] / 1e6:.2f} MB and is open, every plot drawn, after {result['median_s']:.2f} s in "
        f"a headless Chromium that was just started (median of {seconds} s).\n\n{_foot(result)}"
    )


def _foot(result: Result) -> str:
    return f"`{result['command']}`, {result['date']}, {result['machine']}.\n"
