"""A PNG whose pixels are class numbers, with a palette (Pascal VOC) or grey (COCO-stuff, Cityscapes).

OpenCV gives the colours of a palette, not its numbers, and spreads grey of few bits over 0..255: both are
undone here. The largest number, 255 or 65535, is no class. Source: PNG specification, sections 11.2.1-11.2.3.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown.detections import NO_CLASS, ClassMap
from paredown.errors import DataError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3  # colour types
MOST_PIXELS = 100_000_000


HEADER_BYTES = 33  # signature and IHDR


def is_index_png(header: bytes) -> bool:
    """Whether a PNG that begins with these bytes may hold class numbers: its pixels are no colours."""
    return header[:8] == _SIGNATURE and len(header) >= HEADER_BYTES and header[25] in (_GREY, _PALETTE)


def read_index_png(data: bytes, where: str) -> ClassMap:
    """The class of every pixel. Raises DataError where the PNG does not hold class numbers."""
    if data[:8] != _SIGNATURE or len(data) < HEADER_BYTES:
        raise DataError(f"{where!r} is no PNG", expected="an index PNG: a class number for every pixel")
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    bits, kind = data[24], data[25]
    if not 0 < width * height <= MOST_PIXELS:
        raise DataError(f"the map {where!r} is too large", got=f"{width} x {height} pixels")
    if kind not in (_GREY, _PALETTE):
        raise DataError(
            f"the map {where!r} holds colours, not class numbers",
            got=f"PNG colour type {kind}",
            expected="grey or palette: an index PNG, as Pascal VOC and COCO-stuff have them",
        )
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise DataError(f"the map {where!r} is damaged")
    numbers = _of_palette(pixels, data, where) if kind == _PALETTE else _of_grey(pixels, bits, where)
    most = 65535 if bits == 16 else 255
    return ClassMap.of(np.where(numbers == most, NO_CLASS, numbers))


def _of_grey(pixels: NDArray[np.generic], bits: int, where: str) -> NDArray[np.int64]:
    if pixels.ndim != 2:
        raise DataError(f"the map {where!r} holds colours, not class numbers")
    numbers = pixels.astype(np.int64)
    numbers = numbers // (255 // (2**bits - 1)) if bits < 8 else numbers
    if bits == 16 and np.any((numbers > 32767) & (numbers < 65535)):
        raise DataError(f"the map {where!r} has class numbers above 32767", got=int(numbers.max()))
    return numbers


def _of_palette(pixels: NDArray[np.generic], data: bytes, where: str) -> NDArray[np.int64]:
    """The number of each pixel's colour. Raises DataError where two numbers that are used share a colour."""
    at = data.find(b"PLTE")
    size = int.from_bytes(data[at - 4 : at], "big") if at > 0 else 0
    colours = np.frombuffer(data[at + 4 : at + 4 + size], np.uint8).reshape(-1, 3).astype(np.int64)
    code = (colours[:, 0] << 16) | (colours[:, 1] << 8) | colours[:, 2]
    wide = np.atleast_3d(pixels).astype(np.int64)
    found = (wide[:, :, 2] << 16) | (wide[:, :, 1] << 8) | wide[:, :, 0]  # OpenCV gives BGR
    used = np.unique(found)
    shared = [int(c) for c in used if np.count_nonzero(code == c) > 1]
    if shared:
        raise DataError(f"two class numbers of the map {where!r} have the same colour in its palette")
    order = np.argsort(code)
    numbers: NDArray[np.int64] = order[np.searchsorted(code[order], found)]
    return numbers
