"""The one place that decodes images: (H, W, 3) uint8 RGB, upright.

What an unusual file becomes is what the detectors' own loaders make of it (`cv2.imread` in Ultralytics,
YOLOX and NanoDet, `PIL.convert("RGB")` in torchvision), so that a model sees what it was trained on: alpha is
dropped, not blended; greyscale is repeated three times; 16 bits keep their upper eight. Unlike them, a file
that ends early is refused rather than filled with grey.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown.data import greyed
from paredown.data.fence import enter
from paredown.data.files import head, read_bytes
from paredown.data.headers import BadHeader, Header, read_header
from paredown.errors import DataError, ImageError
from paredown.sample import Sample, Truth

MAX_PIXELS = 1 << 27  # 134 megapixels, 403 MB decoded: above any camera, below what exhausts a small computer
MAX_FILE_BYTES = 512 << 20
_PREFIX_BYTES = 256 << 10  # enough for the headers of nearly every JPEG, EXIF thumbnail included

_RGB = getattr(cv2, "IMREAD_COLOR_RGB", 0)  # from OpenCV 4.10 on; it saves a copy of the image

Pixels = NDArray[np.uint8]
Size = tuple[int, int]  # height, width

# A bad file is our error to tell, once; OpenCV would write lines of its own to stderr as well.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def decode(data: bytes, where: str) -> Pixels:
    """(H, W, 3) uint8 RGB, upright, from an encoded image. `where` names it in errors.

    Raises: ImageError for anything that is not a whole JPEG, PNG, BMP, WebP or TIFF of at most MAX_PIXELS.
    """
    header = _checked_header(data, where)
    if not header.complete:
        raise ImageError(
            f"the image {where!r} is cut off", got=f"{len(data)} bytes without the end of a {header.kind}"
        )
    try:
        decoded = _imdecode(data)
    except cv2.error as error:
        raise ImageError(f"the image {where!r} cannot be decoded", got=error.err) from error
    if decoded is None:
        raise ImageError(f"the image {where!r} cannot be decoded", got=f"damaged {header.kind} data")
    if decoded.shape[:2] != (header.height, header.width):
        raise ImageError(
            f"the image {where!r} contradicts its own header",
            got=f"{decoded.shape[1]} x {decoded.shape[0]} pixels",
            expected=f"{header.width} x {header.height}",
        )
    if header.kind == "jpeg" and greyed.lacks_pixels(data, header, decoded, _imdecode):
        raise ImageError(
            f"the image {where!r} is cut off",
            got="JPEG data that ends before its last pixels, which decoders fill with grey",
        )
    return _turn_upright(decoded.astype(np.uint8, copy=False), header.orientation)


def _imdecode(data: bytes) -> Pixels | None:
    """(H, W, 3) uint8 RGB as stored, or None for what is damaged. Raises: cv2.error."""
    colour = _RGB or cv2.IMREAD_COLOR
    found = cv2.imdecode(np.frombuffer(data, np.uint8), colour | cv2.IMREAD_IGNORE_ORIENTATION)
    if found is not None and not _RGB:
        found = cv2.cvtColor(found, cv2.COLOR_BGR2RGB)
    return cast("Pixels | None", found)


def read_image(path: Path) -> Pixels:
    """(H, W, 3) uint8 RGB, upright, from a file. Raises: ImageError naming it."""
    return decode(_image_bytes(path), str(path))


def image_size(path: Path) -> Size:
    """Height and width of the upright image, from its header alone. Raises: ImageError naming the file."""
    enter(path, noted=False)
    try:
        header = read_header(head(path, _PREFIX_BYTES))
        if header.complete or header.kind.endswith("jpeg"):  # a JPEG's EXIF block stands before its size
            return header.upright
    except BadHeader:
        pass  # an unreadable file, or headers longer than the prefix: reading it whole tells which
    return _checked_header(_image_bytes(path), str(path)).upright


def readable_size(path: Path) -> Size | None:
    """`image_size`, or None for an image that reading will refuse: `verify` decides what then."""
    try:
        return image_size(path)
    except ImageError:
        return None


def file_sample(path: Path, name: str, truth: Truth = None, size: Size | None = None) -> Sample:
    """A Sample that reads `path`. `size`: height, width the labels were drawn on, checked on reading.

    Raises: DataError where `path` lies outside the data set (see `fence.py`).
    """
    enter(path, noted=False)
    return make_sample(name, partial(_image_bytes, path), str(path), truth, size)


def make_sample(
    name: str, fetch: Callable[[], bytes], where: str, truth: Truth = None, size: Size | None = None
) -> Sample:
    """A Sample whose encoded bytes come from `fetch`. It pickles where that does."""
    return Sample(name, partial(_pixels, fetch, where, size), partial(_sha256, fetch), truth)


def _pixels(fetch: Callable[[], bytes], where: str, size: Size | None) -> Pixels:
    pixels = decode(fetch(), where)
    if size is not None and pixels.shape[:2] != size:
        raise ImageError(
            f"the labels of {where!r} were drawn on an image of another size",
            got=f"{pixels.shape[1]} x {pixels.shape[0]} pixels, upright",
            expected=f"{size[1]} x {size[0]} as the labels say",
            hint="label the upright image, or remove its EXIF orientation",
        )
    return pixels


def _sha256(fetch: Callable[[], bytes]) -> str:
    return hashlib.sha256(fetch()).hexdigest()


def _image_bytes(path: Path) -> bytes:
    try:
        return read_bytes(path, MAX_FILE_BYTES)
    except DataError as error:
        raise ImageError(f"the image {str(path)!r} cannot be read", got=error.got or error.what) from error


def _checked_header(data: bytes, where: str) -> Header:
    if not data:
        raise ImageError(f"the image {where!r} is empty", got="0 bytes")
    try:
        header = read_header(data)
    except BadHeader as error:
        raise ImageError(f"the image {where!r} cannot be decoded", got=error) from error
    if header.height * header.width > MAX_PIXELS:
        raise ImageError(
            f"the image {where!r} is too large to decode",
            got=f"{header.width} x {header.height} pixels",
            expected=f"at most {MAX_PIXELS} pixels",
        )
    return header


def _turn_upright(pixels: Pixels, orientation: int) -> Pixels:
    """`pixels` with the EXIF orientation (1..8) undone."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
