"""Which input takes the image, and which of its axes count rows and columns."""

from __future__ import annotations

from collections.abc import Sequence

from paredown.model import TensorSpec

LEAST_SIDE = 8  # pixels: (1, 3, 1, 1) are three numbers


def image_axes(shape: Sequence[int | None]) -> tuple[int, int] | None:
    """(2, 3) of N, C, H, W; (1, 2) of N, H, W, C; None for the shape of no image with 1 or 3 channels.

    Where both could be, as in (1, 3, 64, 3), the channels come first.
    """
    if len(shape) != 4:
        return None
    if shape[1] in (1, 3):
        return 2, 3
    return (1, 2) if shape[3] in (1, 3) else None


def batched(shape: Sequence[int | None]) -> tuple[int | None, ...]:
    """The shape with a batch axis: of an image without one, (3, H, W) or (H, W, 3), it is put in front."""
    alone = len(shape) == 3 and (shape[0] == 3 or shape[2] == 3)
    return (1, *shape) if alone else tuple(shape)


def image_inputs(inputs: Sequence[TensorSpec]) -> list[TensorSpec]:
    """The inputs that look most like the image: those of three channels before those of one, the largest.

    Several where nothing tells them apart.
    """
    found = [(spec, key) for spec in inputs if (key := _likeness(spec)) is not None]
    best = max((key for _, key in found), default=None)
    return [spec for spec, key in found if key == best]


def likeliest_image(inputs: Sequence[TensorSpec]) -> TensorSpec | None:
    """The one input that takes the image; None where there is none, or where several could."""
    found = image_inputs(inputs)
    return found[0] if len(found) == 1 else None


def _likeness(spec: TensorSpec) -> tuple[bool, int] | None:
    """(three channels, pixels) of an input with the shape of an image; an open side counts as the largest."""
    shape = batched(spec.shape)
    axes = image_axes(shape)
    if axes is None or spec.dtype == "bool":
        return None
    sides = [shape[a] for a in axes]
    if any(s is not None and s < LEAST_SIDE for s in sides):
        return None
    channels = shape[1] if axes == (2, 3) else shape[3]
    pixels = 2**62 if None in sides else (sides[0] or 0) * (sides[1] or 0)
    return channels == 3, pixels
