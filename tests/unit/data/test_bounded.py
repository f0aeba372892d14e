"""Hostile data is refused with the figure, in seconds and without the memory it asks for."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from paredown import data
from paredown.data import fence, labels, zipped
from paredown.data.images import decode
from paredown.errors import DataError, ImageError

SMOOTH = cv2.resize(np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8), (320, 240))


def jpeg(progressive: int = 0, restart: int = 0, pixels: np.ndarray = SMOOTH) -> bytes:
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_RST_INTERVAL, restart]
    return cv2.imencode(".jpg", pixels, options)[1].tobytes()


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("restart", [0, 3])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_jpeg_whose_data_ends_early_is_refused_also_with_an_end_marker(
    progressive: int, restart: int, share: float, capfd
) -> None:
    whole = jpeg(progressive, restart)
    assert decode(whole, "x").shape == (240, 320, 3)
    cut = whole[: int(len(whole) * share)]
    for end in (b"", b"\xff\xd9", b"\xff\xd9" + bytes(100)):
        with pytest.raises(ImageError, match="'x' is cut off"):
            decode(cut + end, "x")


@pytest.mark.parametrize("progressive", [0, 1])
def test_a_jpeg_with_its_middle_cut_out_is_refused(progressive: int) -> None:
    whole = jpeg(progressive)
    with pytest.raises(ImageError, match="'x'"):
        decode(whole[: len(whole) // 3] + whole[len(whole) // 2 :], "x")


@pytest.mark.parametrize("colour", [0, 128, 255])
@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("shape", [(240, 320), (241, 323), (8, 8), (7, 5), (33, 16)])
def test_a_flat_image_is_no_damage(colour: int, progressive: int, shape: tuple[int, int], capfd) -> None:
    pixels = np.full((*shape, 3), colour, np.uint8)
    assert abs(int(decode(jpeg(progressive, pixels=pixels), "x").mean()) - colour) < 3
    pixels[: shape[0] // 2] = 40
    decode(jpeg(progressive, pixels=pixels) + b"trailing bytes", "x")
    assert capfd.readouterr().err == ""  # the library's remarks on our second look are not shown


def test_a_jpeg_of_thousands_of_scans_is_refused_at_once() -> None:
    whole = jpeg(progressive=1)
    first = whole.index(b"\xff\xda")
    second = whole.index(b"\xff\xda", first + 2)
    bomb = whole[:first] + whole[first:second] * 3000 + whole[first:]
    started = time.monotonic()
    with pytest.raises(ImageError, match=r"3\d\d\d scans, more than 100"):
        decode(bomb, "x")
    assert time.monotonic() - started < 2


def test_images_of_endless_segments_are_refused_at_once() -> None:
    started = time.monotonic()
    with pytest.raises(ImageError, match="segments"):
        decode(b"\xff\xd8" + b"\xff\xe2\x00\x02" * 400_000 + jpeg()[2:], "x")
    png = cv2.imencode(".png", SMOOTH)[1].tobytes()
    chunk = struct.pack(">I4sI", 0, b"abCd", 0)
    with pytest.raises(ImageError, match="chunks"):
        decode(png[:33] + chunk * 400_000 + png[33:], "x")
    assert time.monotonic() - started < 2


def write_boxes(path: Path, n: int, images: int = 3) -> None:
    """A COCO file of n boxes over a few images, written without making them first."""
    with path.open("w") as file:
        listed = [{"id": i, "file_name": f"{i + 1}.png", "width": 32, "height": 24} for i in range(images)]
        file.write(
            f'{{"images": {json.dumps(listed)}, "categories": [{{"id": 1, "name": "a"}}], "annotations": ['
        )
        row = '{"id": %d, "image_id": %d, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0}'
        file.write(",".join(row % (i, i % images) for i in range(n)))
        file.write("]}")


def test_boxes_without_end_on_three_images_are_refused(tmp_path: Path, write_image) -> None:
    for i in (1, 2, 3):
        write_image(tmp_path / "images" / f"{i}.png", seed=i)
    write_boxes(tmp_path / "instances.json", 300_000)
    started = time.monotonic()
    with pytest.raises(DataError, match=r"more than 10,000 boxes"):
        data.read_dataset(str(tmp_path))
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("kind", ["yolo", "voc"])
def test_too_many_boxes_in_a_label_file_are_refused(tmp_path: Path, write_image, kind: str) -> None:
    write_image(tmp_path / "a.png")
    n = labels.MAX_BOXES_PER_IMAGE + 1
    if kind == "yolo":
        rows = (f"0 0.5 0.5 0.25 0.{i + 1:06}\n" for i in range(n))
        (tmp_path / "a.txt").write_text("".join(rows))
    else:
        box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
        rows = (f"<object><name>a</name>{box}</object>" for _ in range(n))
        (tmp_path / "a.xml").write_text(f"<annotation>{''.join(rows)}</annotation>")
    with pytest.raises(DataError, match="more than 10,000 boxes"):
        data.read_dataset(str(tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        '{"images": ' + "[" * 200_000,
        '{"images": [' + '{"a":' * 200_000,
        '{"info": ' + '{"a":' * 200_000,
        '{"images": [], "x": "' + "y" * (17 << 20),
        '{"images": [' + "1," * 300_000 + "1]}",
    ],
)
def test_deep_or_endless_json_is_refused(tmp_path: Path, write_coco, text: str) -> None:
    root = write_coco(tmp_path)
    (root / "instances.json").write_text(text)
    started = time.monotonic()
    with pytest.raises(DataError) as caught:
        data.read_dataset(f"coco:{root}")
    assert len(str(caught.value)) < 1000
    assert time.monotonic() - started < 5


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system tells no peak of memory")
def test_a_large_coco_file_is_read_in_little_memory(tmp_path: Path, write_image) -> None:
    """60,000 boxes, 6 MB of JSON, in a process of its own: some 60 MB above that of an empty one."""
    for i in range(1, 101):
        write_image(tmp_path / "images" / f"{i}.png", 24, 32, seed=0)
    write_boxes(tmp_path / "instances.json", 60_000, 100)
    code = (
        "import sys; from paredown import data; read = data.read_dataset(sys.argv[1]);"
        "peak = [line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')];"
        "print(len(read), sum(len(s.truth.classes) for s in read), peak[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    images, boxes, peak_kb = map(int, done.stdout.split())
    assert (images, boxes) == (100, 60_000)
    assert peak_kb < 250_000


@pytest.mark.parametrize("form", ["", "plain:", "voc:", "yolo:", "folders:", "csv:", "coco:"])
def test_a_folder_of_endless_names_is_refused(tmp_path: Path, form: str, monkeypatch) -> None:
    monkeypatch.setattr(fence, "MAX_NAMES", 100)
    monkeypatch.setattr("paredown.data.files.MAX_NAMES", 100)
    for i in range(120):
        (tmp_path / f"{i}.png").touch()
    with pytest.raises(DataError, match="more than 100 names"):
        data.read_dataset(f"{form}{tmp_path}")


def test_a_zip_of_endless_members_is_refused_before_its_list_is_read(tmp_path: Path, monkeypatch) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for i in range(2000):
            archive.writestr(f"{i}.png", b"")
    monkeypatch.setattr(zipped, "MAX_DIRECTORY_BYTES", 50_000)
    with pytest.raises(DataError, match="lists too many members"):
        data.read_dataset(str(tmp_path / "a.zip"))


def test_a_csv_of_endless_rows_is_refused(tmp_path: Path, write_image, monkeypatch) -> None:
    write_image(tmp_path / "a.png")
    monkeypatch.setattr("paredown.data.table.MAX_ROWS", 1000)
    (tmp_path / "list.csv").write_text("file,label\n" + "a.png,1\n" * 2000)
    with pytest.raises(DataError, match="more than 1,000 rows"):
        data.read_dataset(str(tmp_path))
