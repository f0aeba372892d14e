"""What an image file says of itself before it is decoded: size, orientation, and whether it is whole.

Decoders differ on damaged files: libjpeg fills what is missing with grey, OpenCV's limit on pixels is fixed
when the library loads, and which containers have their EXIF orientation obeyed depends on the OpenCV
version. Reading the headers here makes all three the same everywhere.

Sources: ITU-T T.81 annex B (JPEG markers), W3C PNG chapter 5, RFC 9649 (WebP), TIFF 6.0 section 2, CIPA
DC-008 (EXIF).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

ORIENTATION, WIDTH, HEIGHT, SAMPLE_FORMAT = 274, 256, 257, 339  # TIFF tags
# libjpeg goes over the whole image once for each scan. Progressive files have about 10, those of a script of
# their own up to some 60.
MAX_SCANS = 100
MAX_SEGMENTS = (
    10_000  # of a JPEG, chunks of a PNG or WebP; a video's worth of tiny ones takes minutes to walk
)
_SCAN, _PROGRESSIVE, _HUFFMAN = 0xDA, 0xC2, frozenset({0xC0, 0xC1, 0xC2})
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MARKER = re.compile(
    rb"\xff([^\x00\xff\x01\xd0-\xd7])", re.DOTALL
)  # restart markers and stuffed zeros are data


class BadHeader(Exception):
    """The bytes are no image this file knows, or contradict themselves. The text says how."""


@dataclass(frozen=True)
class Header:
    """Size as stored. `orientation` is the EXIF value 1..8; `complete` is False where the end is missing.

    end: where the end marker of a JPEG stands, None where there is none. progressive: of a JPEG.
    """

    kind: str  # "jpeg", "arithmetic jpeg", "png", "bmp", "webp", "tiff"
    height: int
    width: int
    orientation: int = 1
    complete: bool = True
    end: int | None = None
    progressive: bool = False

    @property
    def upright(self) -> tuple[int, int]:
        """Height and width of the image as a person sees it."""
        return (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)


def read_header(data: bytes) -> Header:
    """The header of an encoded image. `data` may be a prefix of a file: then `complete` may be False.

    Raises: BadHeader.
    """
    try:
        if data[:3] == b"\xff\xd8\xff":
            header = _jpeg(data)
        elif data[:8] == b"\x89PNG\r\n\x1a\n":
            header = _png(data)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            header = _webp(data)
        elif data[:2] == b"BM":
            header = _bmp(data)
        elif data[:4] in (b"II*\x00", b"MM\x00*"):
            header = _tiff(data)
        else:
            raise BadHeader("not a JPEG, PNG, BMP, WebP or TIFF image")
    except struct.error:
        raise BadHeader("cut off inside its header") from None
    if header.height < 1 or header.width < 1:
        raise BadHeader(f"says it is {header.width} pixels wide and {header.height} high")
    return header


def _jpeg(data: bytes) -> Header:
    """Every marker up to the end of the image is looked at: a scan costs as much as decoding it once."""
    height = width = scans = 0
    orientation, position, end, frame = 1, 2, None, 0
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None:
            break
        marker, position = found.group(1)[0], found.end()
        if marker == 0xD9:
            end = found.start()
            break
        if position + 2 > len(data):
            break
        (length,) = struct.unpack_from(">H", data, position)
        if length < 2:
            raise BadHeader("a JPEG segment with no room for its own length")
        if marker in _FRAME_HEADERS and not width and position + 7 <= len(data):
            height, width = struct.unpack_from(">HH", data, position + 3)
            frame = marker
        elif marker == 0xE1 and data[position + 2 : position + 8] == b"Exif\x00\x00":
            orientation = exif_orientation(data[position + 8 : position + length])
        scans += marker == _SCAN
        position += length
    else:
        raise BadHeader(f"a JPEG of more than {MAX_SEGMENTS:,} segments")
    if scans > MAX_SCANS:
        raise BadHeader(f"a JPEG of {scans} scans, more than {MAX_SCANS}: decoding it takes minutes")
    if not width:
        raise BadHeader("a JPEG without a frame header")
    kind = "jpeg" if frame in _HUFFMAN else "arithmetic jpeg"
    return Header(kind, height, width, orientation, end is not None, end, frame == _PROGRESSIVE)


def _png(data: bytes) -> Header:
    length, kind, width, height = struct.unpack_from(">I4sII", data, 8)
    if kind != b"IHDR" or length != 13:
        raise BadHeader("a PNG that does not begin with IHDR")
    orientation, position = 1, 8
    for _ in range(MAX_SEGMENTS):
        if position + 12 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"IEND":
            return Header("png", height, width, orientation, True)
        if kind == b"eXIf":
            orientation = exif_orientation(data[position + 8 : position + 8 + length])
        position += 12 + length
    else:
        raise BadHeader(f"a PNG of more than {MAX_SEGMENTS:,} chunks")
    return Header("png", height, width, orientation, False)


def _webp(data: bytes) -> Header:
    (riff_size,) = struct.unpack_from("<I", data, 4)
    kind = data[12:16]
    orientation = 1
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        orientation = _webp_orientation(data)
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (value & 0x3FFF for value in struct.unpack_from("<HH", data, 26))
    else:
        raise BadHeader("a WebP file without an image chunk")
    return Header("webp", height, width, orientation, len(data) >= riff_size + 8)


def _webp_orientation(data: bytes) -> int:
    position = 12
    for _ in range(MAX_SEGMENTS):
        if position + 8 > len(data):
            break
        kind, size = struct.unpack_from("<4sI", data, position)
        if kind == b"EXIF":
            block = data[position + 8 : position + 8 + size]
            return exif_orientation(block.removeprefix(b"Exif\x00\x00"))
        position += 8 + size + size % 2
    return 1


def _bmp(data: bytes) -> Header:
    (header_size,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header_size == 12 else "<ii", data, 18)
    return Header("bmp", abs(height), width)  # a negative height means top row first


def _tiff(data: bytes) -> Header:
    tags = _tiff_tags(data)
    if tags.get(SAMPLE_FORMAT, 1) != 1:
        raise BadHeader("a TIFF whose samples are not unsigned integers")
    if tags.get(ORIENTATION, 1) != 1:
        # libtiff turns some of the eight orientations and not others: neither reading would be sure.
        raise BadHeader("a TIFF stored turned or mirrored; save it upright")
    return Header("tiff", tags.get(HEIGHT, 0), tags.get(WIDTH, 0))


def exif_orientation(block: bytes) -> int:
    """1..8 from an EXIF block; 1 where it says nothing that can be read, as all viewers do."""
    try:
        value = _tiff_tags(block).get(ORIENTATION, 1)
    except (BadHeader, struct.error):
        return 1
    return value if 1 <= value <= 8 else 1


def _tiff_tags(block: bytes) -> dict[int, int]:
    """The first value of every short or long tag in the first image directory."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        raise BadHeader("no TIFF byte order mark")
    (start,) = struct.unpack_from(order + "I", block, 4)
    (count,) = struct.unpack_from(order + "H", block, start)
    tags: dict[int, int] = {}
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, n = struct.unpack_from(order + "HHI", block, entry)
        if kind not in (3, 4) or n < 1:
            continue
        code, width = ("H", 2) if kind == 3 else ("I", 4)
        place = entry + 8
        if n * width > 4:
            (place,) = struct.unpack_from(order + "I", block, place)
        (tags[tag],) = struct.unpack_from(order + code, block, place)
    return tags
