from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from paredown.data import headers
from paredown.data.images import MAX_PIXELS, decode, file_sample, image_size, read_image
from paredown.errors import ImageError


def gradient(height: int = 24, width: int = 32) -> np.ndarray:
    """RGB that a lossy codec keeps within a few steps, and whose eight orientations all differ."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 6 + 20, y * 8 + 10, np.full_like(x, 90)], axis=-1).astype(np.uint8)


def encode(pixels: np.ndarray, suffix: str) -> bytes:
    rgb_last = (
        cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 and pixels.shape[2] == 3 else pixels
    )
    ok, data = cv2.imencode(suffix, rgb_last)
    assert ok
    return data.tobytes()


def exif(orientation: int, order: str = "<") -> bytes:
    mark = b"II*\x00" if order == "<" else b"MM\x00*"
    entry = struct.pack(order + "HHIHH", headers.ORIENTATION, 3, 1, orientation, 0)
    return mark + struct.pack(order + "IH", 8, 1) + entry + struct.pack(order + "I", 0)


def with_jpeg_exif(jpeg: bytes, block: bytes) -> bytes:
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\x00\x00" + block + jpeg[2:]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff"])
def test_lossless_formats_come_back_as_rgb(suffix: str) -> None:
    pixels = gradient()
    np.testing.assert_array_equal(decode(encode(pixels, suffix), "x"), pixels)


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_formats_come_back_as_rgb(suffix: str) -> None:
    pixels = gradient()
    assert np.abs(decode(encode(pixels, suffix), "x").astype(int) - pixels).max() <= 12


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone_in_jpeg(orientation: int, order: str, tmp_path: Path) -> None:
    stored = gradient()
    jpeg = with_jpeg_exif(encode(stored, ".jpg"), exif(orientation, order))
    plain = decode(encode(stored, ".jpg"), "x")
    # EXIF 2.32, tag 274: what to do with the stored rows to see the picture upright
    upright = {
        1: plain,
        2: np.fliplr(plain),
        3: np.rot90(plain, 2),
        4: np.flipud(plain),
        5: plain.transpose(1, 0, 2),
        6: np.rot90(plain, -1),
        7: np.rot90(plain, 2).transpose(1, 0, 2),
        8: np.rot90(plain, 1),
    }[orientation]
    np.testing.assert_array_equal(decode(jpeg, "x"), upright)
    np.testing.assert_array_equal(
        cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB),
        upright,
    )
    file = tmp_path / "turned.jpg"
    file.write_bytes(jpeg)
    assert image_size(file) == upright.shape[:2]


def test_exif_orientation_is_undone_in_png_and_webp(tmp_path: Path) -> None:
    stored = gradient()
    png = encode(stored, ".png")
    turned = png[:33] + png_chunk(b"eXIf", exif(6)) + png[33:]
    np.testing.assert_array_equal(decode(turned, "x"), np.rot90(stored, -1))
    webp = encode(stored, ".webp")
    block = exif(6)
    vp8x = struct.pack("<4sIB3x", b"VP8X", 10, 8) + (31).to_bytes(3, "little") + (23).to_bytes(3, "little")
    body = b"WEBP" + vp8x + webp[12:] + struct.pack("<4sI", b"EXIF", len(block)) + block
    data = b"RIFF" + struct.pack("<I", len(body)) + body
    np.testing.assert_array_equal(decode(data, "x"), np.rot90(decode(webp, "x"), -1))
    file = tmp_path / "turned.webp"
    file.write_bytes(data)
    assert image_size(file) == (32, 24)


def test_broken_exif_is_no_orientation() -> None:
    jpeg = encode(gradient(), ".jpg")
    for block in (b"", b"II", b"II*\x00\xff\xff\xff\xff", exif(9), exif(0), exif(6)[:-12]):
        assert decode(with_jpeg_exif(jpeg, block), "x").shape == (24, 32, 3)


def test_grey_alpha_and_16_bit_become_what_detector_loaders_make_of_them() -> None:
    grey = gradient()[..., 0]
    np.testing.assert_array_equal(decode(encode(grey, ".png"), "x"), np.dstack([grey] * 3))
    rgba = np.dstack([gradient()[..., ::-1], np.zeros((24, 32), np.uint8)])
    np.testing.assert_array_equal(decode(encode(rgba, ".png"), "x"), gradient())
    deep = (gradient()[..., 0].astype(np.uint16) << 8) + 77
    np.testing.assert_array_equal(decode(encode(deep, ".png"), "x"), np.dstack([grey] * 3))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tiff"])
def test_every_cut_is_refused(suffix: str) -> None:
    whole = encode(gradient(64, 48), suffix)
    # BMP rows may end in padding that no pixel needs; 8 bytes are more than that.
    for length in {0, 1, 3, 12, 30, len(whole) // 4, len(whole) // 2, len(whole) - 8}:
        with pytest.raises(ImageError, match="broken"):
            decode(whole[:length], "broken")


def test_jpeg_without_end_marker_is_refused_and_trailing_bytes_are_not() -> None:
    whole = encode(gradient(), ".jpg")
    with pytest.raises(ImageError, match="cut off"):
        decode(whole[:-2], "x")
    assert decode(whole + b"\x00" * 100, "x").shape == (24, 32, 3)


def test_an_end_marker_inside_the_thumbnail_does_not_make_a_cut_jpeg_whole() -> None:
    whole = with_jpeg_exif(encode(gradient(), ".jpg"), exif(1) + encode(gradient(8, 8), ".jpg"))
    with pytest.raises(ImageError, match="cut off"):
        decode(whole[:-40], "x")


@pytest.mark.parametrize("side", [MAX_PIXELS, 1 << 16])
def test_bomb_is_refused_by_its_header(side: int) -> None:
    bomb = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    bomb += png_chunk(b"IDAT", zlib.compress(bytes(1000))) + png_chunk(b"IEND", b"")
    with pytest.raises(ImageError, match="too large"):
        decode(bomb, "bomb.png")


def test_errors_name_the_file(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    empty.touch()
    with pytest.raises(ImageError, match=r"empty\.jpg.* is empty"):
        read_image(empty)
    with pytest.raises(ImageError, match=r"gone\.jpg.*cannot be read"):
        read_image(tmp_path / "gone.jpg")
    with pytest.raises(ImageError, match=r"gone\.jpg"):
        image_size(tmp_path / "gone.jpg")
    text = tmp_path / "text.png"
    text.write_text("not an image")
    with pytest.raises(ImageError, match="not a JPEG"):
        read_image(text)


def test_size_is_found_behind_headers_longer_than_the_first_read(tmp_path: Path) -> None:
    jpeg = encode(gradient(), ".jpg")
    filler = b"\xff\xe2" + struct.pack(">H", 65000) + bytes(64998)
    file = tmp_path / "long.jpg"
    file.write_bytes(jpeg[:2] + filler * 6 + jpeg[2:])
    assert image_size(file) == (24, 32)
    assert read_image(file).shape == (24, 32, 3)


def test_turned_tiff_is_refused_rather_than_guessed() -> None:
    tiff = bytearray(encode(gradient(), ".tiff"))
    tags_at = struct.unpack_from("<I", tiff, 4)[0]
    count = struct.unpack_from("<H", tiff, tags_at)[0]
    places = [tags_at + 2 + 12 * i for i in range(count)]
    place = next(p for p in places if struct.unpack_from("<H", tiff, p)[0] > headers.HEIGHT)
    tiff[place : place + 12] = struct.pack("<HHIHH", headers.ORIENTATION, 3, 1, 6, 0)
    with pytest.raises(ImageError, match="turned"):
        decode(bytes(tiff), "x")


def test_sample_checks_the_size_its_labels_were_drawn_on(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(encode(gradient(), ".png"))
    assert file_sample(file, "a", 3, (24, 32)).read().shape == (24, 32, 3)
    with pytest.raises(ImageError, match="another size"):
        file_sample(file, "a", 3, (32, 24)).read()
