"""Whatever bytes stand in a data set: a Dataset, or an error from our tree. No other exception, no hang."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paredown import data
from paredown.data.headers import BadHeader, read_header
from paredown.data.images import decode
from paredown.detections import ClassMap
from paredown.errors import DataError, ImageError, UsageError
from paredown.sample import Dataset, Labels

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
IMAGES = {s: cv2.imencode(s, PIXELS)[1].tobytes() for s in (".jpg", ".png", ".bmp", ".webp", ".tiff")}
PNG = IMAGES[".png"]
INDEX_PNG = cv2.imencode(".png", PIXELS[:, :, 0] % 2)[1].tobytes()
bounded = settings(
    max_examples=60,
    deadline=2000,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


def zip_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


COCO = {
    "images": [{"id": 1, "file_name": "a.png", "width": 30, "height": 20}, {"id": 2, "file_name": "b.png"}],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [
        {"id": 9, "image_id": 1, "category_id": 2, "bbox": [1.5, 2, 3, 4], "area": 12, "iscrowd": 0}
    ],
}
VOC = (
    b"<annotation><size><width>30</width><height>20</height></size><object><name>dog</name><difficult>0</difficult>"
    b"<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax></bndbox></object></annotation>"
)

# format: (files of a sound data set, the file whose bytes are changed)
SOUND: dict[str, tuple[dict[str, bytes], str]] = {
    "coco": (
        {"images/a.png": PNG, "images/b.png": PNG, "instances.json": json.dumps(COCO).encode()},
        "instances.json",
    ),
    "yolo": (
        {
            "images/a.png": PNG,
            "labels/a.txt": b"0 0.5 0.5 0.1 0.1\n",
            "data.yaml": b"path: .\nval: images\nnc: 2\nnames:\n  0: cat\n  1: dog\n",
        },
        "data.yaml",
    ),
    "yolo labels": (
        {
            "images/a.png": PNG,
            "labels/a.txt": b"0 0.5 0.5 0.1 0.1\n1 .1 .1 .2 .1 .2 .2\n",
            "data.yaml": b"val: images\nnames: [cat, dog]\n",
        },
        "labels/a.txt",
    ),
    "yolo list": (
        {"images/a.png": PNG, "val.txt": b"./images/a.png\n", "data.yaml": b"val: val.txt\nnames: [cat]\n"},
        "val.txt",
    ),
    "voc": ({"JPEGImages/a.png": PNG, "Annotations/a.xml": VOC}, "Annotations/a.xml"),
    "voc list": (
        {"JPEGImages/a.png": PNG, "Annotations/a.xml": VOC, "ImageSets/Main/val.txt": b"a\n"},
        "ImageSets/Main/val.txt",
    ),
    "csv": ({"a.png": PNG, "list.csv": b"file,class_index,name\na.png,1,dog\na.png,1,dog\n"}, "list.csv"),
    "zip": ({"s.zip": zip_of({"cat/a.png": PNG, "dog/b.jpg": IMAGES[".jpg"]})}, "s.zip"),
    "folders": ({"cat/a.png": PNG, "dog/b.png": PNG}, "dog/b.png"),
    "plain": ({"a.png": PNG}, "a.png"),
    "masks": (
        {"images/a.png": PNG, "masks/a.png": INDEX_PNG, "masks/classes.txt": b"road\ncar\n"},
        "masks/a.png",
    ),
}


def write(root: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def read_all(spec: str) -> Dataset | None:
    """The data set read to its last pixel and held to its promises; None where it was refused."""
    try:
        read = data.read_dataset(spec)
        data.training_split(read)
    except (DataError, UsageError) as error:
        str(error).encode()  # a terminal can show it
        return None
    assert len(read) > 0
    assert len({s.name for s in read}) == len(read)
    for sample in read:
        if isinstance(sample.truth, Labels):
            boxes = sample.truth.boxes
            assert boxes.shape == (len(sample.truth.classes), 4)
            assert np.isfinite(boxes).all()
            assert (boxes >= 0).all()
            assert (boxes[:, 2:] >= boxes[:, :2]).all()
            assert ((sample.truth.classes >= 0) & (sample.truth.classes < len(read.classes))).all()
        elif isinstance(sample.truth, ClassMap):
            assert sample.truth.classes.max() < len(read.classes)
        elif sample.truth is not None:
            assert 0 <= sample.truth < len(read.classes)
        try:
            pixels = sample.read()
        except ImageError:
            continue
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
    return read


def spec_of(kind: str, root: Path) -> str:
    return f"zip:{root / 's.zip'}" if kind == "zip" else f"{kind.split()[0]}:{root}"


def test_every_format_is_here() -> None:
    assert {kind.split()[0] for kind in SOUND} == set(data.FORMATS)


@pytest.mark.parametrize("kind", SOUND)
def test_the_sound_data_set_is_read_and_left_as_it_was(kind: str, tmp_path: Path) -> None:
    files = SOUND[kind][0]
    write(tmp_path, files)
    assert read_all(spec_of(kind, tmp_path)) is not None
    assert {p.relative_to(tmp_path).as_posix(): p.read_bytes() for p in tmp_path.rglob("*.*")} == files


def changed(sound: bytes, random: np.random.Generator) -> bytes:
    """`sound` with a few bytes set, cut out, doubled or moved."""
    made = bytearray(sound)
    for _ in range(int(random.integers(1, 5))):
        at, length = int(random.integers(0, len(made) + 1)), int(random.integers(0, 12))
        action = random.integers(0, 5)
        if action == 0 and at < len(made):
            made[at] = int(random.integers(0, 256))
        elif action == 1:
            del made[at : at + length]
        elif action == 2:
            made[at:at] = made[at : at + length]
        elif action == 3:
            made[at:at] = random.choice([b"nan", b"-1", b"1e999", b"null", b"\x00", b"[", b"9" * 30, b"\xff"])
        else:
            del made[at:]
    return bytes(made)


@pytest.mark.parametrize("kind", SOUND)
def test_changed_bytes_give_a_dataset_or_a_clear_error(kind: str, tmp_path: Path) -> None:
    files, target = SOUND[kind]
    write(tmp_path, files)
    random = np.random.default_rng(1)
    for _ in range(250):
        (tmp_path / target).write_bytes(changed(files[target], random))
        read_all(spec_of(kind, tmp_path))


@pytest.mark.parametrize("kind", SOUND)
@bounded
@given(content=st.binary(max_size=200))
def test_any_bytes_give_a_dataset_or_a_clear_error(kind: str, content: bytes, tmp_path: Path) -> None:
    files, target = SOUND[kind]
    write(tmp_path, files | {target: content})
    read_all(spec_of(kind, tmp_path))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@bounded
@given(
    part=st.sampled_from(["images", "categories", "annotations"]),
    key=st.sampled_from(
        ["id", "file_name", "width", "height", "name", "image_id", "category_id", "bbox", "area", "iscrowd"]
    ),
    value=json_values,
)
def test_any_json_value_in_coco(part: str, key: str, value: object, tmp_path: Path) -> None:
    content = json.loads(json.dumps(COCO))
    content[part][0][key] = value
    write(tmp_path, SOUND["coco"][0] | {"instances.json": json.dumps(content).encode()})
    read_all(f"coco:{tmp_path}")


@bounded
@given(key=st.sampled_from(["images", "categories", "annotations"]), value=json_values)
def test_any_json_in_place_of_a_coco_list(key: str, value: object, tmp_path: Path) -> None:
    write(tmp_path, SOUND["coco"][0] | {"instances.json": json.dumps({**COCO, key: value}).encode()})
    read_all(f"coco:{tmp_path}")


@pytest.mark.parametrize("suffix", IMAGES)
def test_changed_image_bytes_give_an_image_or_an_image_error(suffix: str) -> None:
    random = np.random.default_rng(2)
    for _ in range(400):
        try:
            pixels = decode(changed(IMAGES[suffix], random), "x")
        except ImageError:
            continue
        assert pixels.shape[2] == 3


@pytest.mark.parametrize(
    "start",
    [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x00\x00\x00\x00WEBP", b"BM", b"II*\x00", b"MM\x00*", b""],
)
@bounded
@given(rest=st.binary(max_size=300))
def test_any_header_is_read_or_refused(start: bytes, rest: bytes) -> None:
    try:
        header = read_header(start + rest)
    except BadHeader:
        return
    assert header.height > 0
    assert header.width > 0


@given(spec=st.text(max_size=40))
@bounded
def test_any_spec_is_a_usage_or_data_error(spec: str, tmp_path: Path) -> None:
    with pytest.raises((DataError, UsageError)):
        data.read_dataset(f"{tmp_path}/nothing/{spec}")


def test_a_bomb_does_not_take_memory(tmp_path: Path) -> None:
    """Headers that promise a huge image, and a zip member that unpacks to much more than it weighs."""
    tracemalloc.start()
    for suffix, offset, code in ((".png", 16, ">II"), (".bmp", 18, "<ii")):
        image = bytearray(IMAGES[suffix])
        struct.pack_into(code, image, offset, 60_000, 60_000)
        with pytest.raises(ImageError, match="too large"):
            decode(bytes(image), "x")
    (tmp_path / "s.zip").write_bytes(zip_of({"a/1.png": bytes(3 << 20)}))
    with pytest.raises(ImageError):
        data.read_dataset(str(tmp_path / "s.zip"))[0].read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20
