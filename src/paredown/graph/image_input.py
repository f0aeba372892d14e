"""Which axes of an image input count its rows and its columns."""

from __future__ import annotations

from collections.abc import Sequence


def image_axes(shape: Sequence[int | None]) -> tuple[int, int] | None:
    """(2, 3) of N, C, H, W; (1, 2) of N, H, W, C; None for the shape of no image with 1 or 3 channels.

    Where both could be, as in (1, 3, 64, 3), the channels come first.
    """
    if len(shape) != 4:
        return None
    if shape[1] in (1, 3):
        return 2, 3
    return (1, 2) if shape[3] in (1, 3) else None
