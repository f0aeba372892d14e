"""Whether a JPEG's data ends before its last pixels, although the file ends as it should.

libjpeg fills what is missing with grey, warns on stderr and returns an image like any other. What tells a
whole file: bytes put before its end marker are never looked at, as every pixel has been decoded by then. In a
file that was cut off they become pixels. So a file is decoded a second time with such bytes, and compared.

That is done for files whose last block is flat, as a block of missing data is, and for progressive ones,
where missing data blurs instead. Arithmetic coding is left out: an encoder may drop zeros at the end there.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from paredown.data.headers import Header

Pixels = NDArray[np.uint8]

_BLOCK = 8  # pixels
# An encoder may leave out the padding of its last bits, which costs one block: 16 x 16 pixels and those next
# to it in a baseline file, 8 x 8 in a scan of a progressive one.
_SPARE_PIXELS, _SPARE_PROGRESSIVE = 18 * 18, 10 * 10
_lock = threading.Lock()


def _filling() -> bytes:
    """Bytes that decode to some pixels wherever the data ends, also between two restart markers."""
    random = np.random.default_rng(0)
    piece = [random.integers(0, 255, 1024, np.uint8).tobytes() for _ in range(9)]
    return piece[0] + b"".join(b"\xff" + bytes([0xD0 + i]) + piece[i + 1] for i in range(8))


_FILLING = _filling()


def lacks_pixels(
    data: bytes, header: Header, decoded: Pixels, decode: Callable[[bytes], Pixels | None]
) -> bool:
    """Whether `data` holds less than all pixels of `decoded` (H, W, 3). `decode`: as `decoded` was made."""
    corner = decoded[-_BLOCK:, -_BLOCK:]
    flat = bool((corner == corner[-1, -1]).all())
    if header.end is None or not (flat or header.progressive):
        return False
    with _silent_stderr():  # libjpeg remarks on the bytes
        again = decode(data[: header.end] + _FILLING + data[header.end :])
    if again is None or again.shape != decoded.shape:
        return False
    spare = _SPARE_PROGRESSIVE if header.progressive else _SPARE_PIXELS
    return int((again != decoded).any(axis=2).sum()) > spare


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """File descriptor 2 leads nowhere meanwhile: the library writes there, past `sys.stderr`."""
    with _lock:
        try:
            kept = os.dup(2)
        except OSError:  # there is none
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
