"""Maps of classes beside images: palettes, grey of few bits, names, what is no map."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from paredown import data
from paredown.data.index_png import read_index_png
from paredown.detections import NO_CLASS
from paredown.errors import DataError
from toys import write_images


def png(rows: list[bytes], width: int, bits: int, kind: int, palette: bytes = b"") -> bytes:
    """A PNG by hand: rows as they are packed."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, len(rows), bits, kind, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    middle = chunk(b"PLTE", palette) if palette else b""
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    return start + middle + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_palette_gives_its_numbers_not_its_colours() -> None:
    """The colours stand in no order, as those of Pascal VOC."""
    others = [(i * 7 % 256, i, 255 - i) for i in range(3, 256)]
    palette = bytes(np.array([(0, 0, 0), (128, 0, 0), (0, 128, 0), *others], np.uint8))
    found = read_index_png(png([bytes([0, 1, 2, 255])], 4, 8, 3, palette), "a.png").classes
    np.testing.assert_array_equal(found, [[0, 1, 2, NO_CLASS]])


def test_two_numbers_of_one_colour_are_refused_where_they_are_used() -> None:
    palette = bytes([9, 9, 9, 1, 2, 3, 1, 2, 3])
    np.testing.assert_array_equal(
        read_index_png(png([bytes([0, 0])], 2, 8, 3, palette), "a").classes, [[0, 0]]
    )
    with pytest.raises(DataError, match="same colour"):
        read_index_png(png([bytes([0, 1])], 2, 8, 3, palette), "a")


def test_grey_of_eight_of_sixteen_and_of_few_bits() -> None:
    assert read_index_png(png([bytes([7, 255])], 2, 8, 0), "a").classes.tolist() == [[7, NO_CLASS]]
    wide = struct.pack(">HH", 300, 65535)
    assert read_index_png(png([wide], 2, 16, 0), "a").classes.tolist() == [[300, NO_CLASS]]
    assert read_index_png(png([bytes([0b00011011])], 4, 2, 0), "a").classes.tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize(
    "bad", [b"", b"no png at all, and long enough to have a header ..", png([bytes(6)], 2, 8, 2)]
)
def test_what_is_no_map_is_said(bad: bytes) -> None:
    with pytest.raises(DataError, match=r"no PNG|colours, not class numbers"):
        read_index_png(bad, "a.png")


def test_images_with_maps_are_a_data_set(tmp_path: Path) -> None:
    write_images(tmp_path / "images", 3)
    (tmp_path / "masks").mkdir()
    for i in range(2):
        cv2.imwrite(str(tmp_path / "masks" / f"{i:03d}.png"), np.full((64, 64), i + 1, np.uint8))
    read = data.read_dataset(str(tmp_path))
    assert (read.format, read.task, len(read), read.classes) == ("masks", "segment", 2, ("0", "1", "2"))
    assert any("without a map" in note for note in read.notes)
    (tmp_path / "masks" / "classes.yaml").write_text("classes:\n  0: none\n  1: disc\n  2: box\n")
    assert data.read_dataset(str(tmp_path)).classes == ("none", "disc", "box")
    (tmp_path / "masks" / "classes.yaml").write_text("classes: 3\n")
    with pytest.raises(DataError, match="names no classes"):
        data.read_dataset(str(tmp_path))
    assert data.read_dataset(f"plain:{tmp_path}").task is None


def test_a_map_of_another_size_than_its_image_is_refused(tmp_path: Path) -> None:
    write_images(tmp_path / "images", 1)
    (tmp_path / "masks").mkdir()
    cv2.imwrite(str(tmp_path / "masks" / "000.png"), np.zeros((32, 64), np.uint8))
    with pytest.raises(Exception, match="another size"):
        data.read_dataset(str(tmp_path)).samples[0].read()
