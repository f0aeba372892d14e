"""Class folders, CSV, zip, plain folders, arrays; and how a format is recognised."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from paredown import data
from paredown.errors import DataError, ImageError, UnknownName, UsageError
from paredown.sample import Labels


@pytest.fixture
def class_folders(tmp_path: Path, write_image) -> Path:
    for i, name in enumerate(("dog/1", "dog/2", "cat/1")):
        write_image(tmp_path / "set" / f"{name}.png", seed=i)
    return tmp_path / "set"


def test_folders_are_classes_in_name_order(class_folders: Path) -> None:
    read = data.read_dataset(str(class_folders))
    assert (read.format, read.classes, read.task) == ("folders", ("cat", "dog"), "classify")
    assert [(s.name, s.truth) for s in read] == [("cat/1.png", 0), ("dog/1.png", 1), ("dog/2.png", 1)]


def test_folders_of_splits(tmp_path: Path, write_image) -> None:
    for i, name in enumerate(("train/a", "train/b", "val/a", "val/b")):
        write_image(tmp_path / name / "1.png", seed=i)
    read = data.read_dataset(str(tmp_path))
    assert (read.format, read.split, len(read)) == ("folders", "val", 2)
    assert data.training_split(read) is not None  # same names, other images


def test_plain_folder_tells_what_it_left_out(tmp_path: Path, write_image) -> None:
    write_image(tmp_path / "a.png")
    (tmp_path / "b.heic").write_bytes(b"x")
    (tmp_path / "._c.png").write_bytes(b"x")
    read = data.read_dataset(str(tmp_path))
    assert (read.format, len(read), read.has_truth, read.task) == ("plain", 1, False, None)
    assert "b.heic" in read.notes[0]


def test_single_image_and_images_folder_are_plain(tmp_path: Path, write_image) -> None:
    write_image(tmp_path / "images" / "a.png")
    write_image(tmp_path / "masks" / "a.png")
    assert [s.name for s in data.read_dataset(str(tmp_path))] == ["a.png"]
    assert len(data.read_dataset(str(tmp_path / "images" / "a.png"))) == 1


@pytest.mark.parametrize(
    ("text", "classes", "truths"),
    [
        ("file,label\na.png,2\nb.png,0\n", ("0", "1", "2"), [2, 0]),
        ("file,label\na.png,dog\nb.png,cat\n", ("cat", "dog"), [1, 0]),
        ("\ufefffilename;class_index;name\na.png;1;dog\nb.png;0;cat\n", ("cat", "dog"), [1, 0]),
        ("path,wnid,class_index_0_999,name\na.png,n2,2,dog\nb.png,n0,0,cat\n", ("cat", "1", "dog"), [2, 0]),
        ("image\tcategory\r\na.png\tx\r\nb.png\tx\r\n", ("x",), [0, 0]),
        ("file,name\na.png,dog\nb.png,cat\na.png,dog\n", ("cat", "dog"), [1, 0]),
    ],
)
def test_csv_columns_are_found_by_header(
    tmp_path: Path, write_image, text: str, classes: tuple, truths: list
) -> None:
    for i, name in enumerate("ab"):
        write_image(tmp_path / f"{name}.png", seed=i)
    (tmp_path / "list.csv").write_text(text, encoding="utf-8", newline="")
    read = data.read_dataset(str(tmp_path / "list.csv"))
    assert (read.format, read.classes, [s.truth for s in read]) == ("csv", classes, truths)
    assert data.read_dataset(str(tmp_path)).format == "csv"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column of files"),
        ("file,label\n", "without rows"),
        ("a,b\n1,2\n", "no column of files"),
        ("file,size\na.png,3\n", "no column of labels"),
        ("file,label\na.png\n", "1 cells in row 2"),
        ("file,label\na.png,1\na.png,2\n", "two labels"),
        ("file,label\ngone.png,1\n", "1 of 1 images"),
        ("file,class_index\na.png,-1\n", "no class index in row 2"),
        ("file,class_index\na.png,99999999\n", "no class index in row 2"),
        ("file,class_index,name\na.png,0,x\nb.png,0,y\n", "two names"),
        ("file,label\na.png,\n", "class name"),
        ('file,label\n"a.png,1\n', "cells in row"),
    ],
)
def test_csv_refuses_what_it_cannot_read(tmp_path: Path, write_image, text: str, said: str) -> None:
    write_image(tmp_path / "a.png")
    write_image(tmp_path / "b.png", seed=1)
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        data.read_dataset(str(tmp_path / "list.csv"))


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_zip_is_read_in_place(tmp_path: Path, class_folders: Path) -> None:
    png = (class_folders / "cat" / "1.png").read_bytes()
    path = write_zip(tmp_path / "s.zip", {"top/dog/a.png": png, "top//cat/b.png": png, "top/readme.txt": b""})
    before = sorted(tmp_path.rglob("*"))
    read = data.read_dataset(str(path))
    assert (read.format, read.classes) == ("zip", ("cat", "dog"))
    assert [(s.name, s.truth) for s in read] == [("top/cat/b.png", 0), ("top/dog/a.png", 1)]
    assert read[0].read().shape == (24, 32, 3)
    assert read[0].digest() == data.read_dataset(str(class_folders))[0].digest()
    assert sorted(tmp_path.rglob("*")) == before
    assert data.read_dataset(str(write_zip(tmp_path / "p.zip", {"a.png": png}))).has_truth is False


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "x/../../a.png", "x\\..\\a.png"])
def test_zip_member_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="leads outside"):
        data.read_dataset(str(write_zip(tmp_path / "s.zip", {name: b"x"})))


def test_zip_member_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.png", bytes(200_000))
    monkeypatch.setattr("paredown.data.zipped.MAX_MEMBER_BYTES", 100_000)
    with pytest.raises(ImageError, match="too large"):
        data.read_dataset(str(path))[0].read()


def test_zip_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 and nothing")
    with pytest.raises(DataError, match="no zip"):
        data.read_dataset(str(tmp_path / "a.zip"))
    with pytest.raises(DataError, match="no image"):
        data.read_dataset(str(write_zip(tmp_path / "b.zip", {"a.txt": b""})))


def test_arrays() -> None:
    images = [np.full((4, 5, 3), i, np.uint8) for i in range(3)]
    read = data.from_arrays(images, [0, 1, 0], ("a", "b"))
    assert (len(read), read.classes, read.task, read[1].truth) == (3, ("a", "b"), "classify", 1)
    images[1][:] = 99
    assert read[1].read().max() == 1  # the data set holds its own copy
    read[1].read()[:] = 7
    assert read[1].read().max() == 1
    assert len({s.digest() for s in read}) == 3


@pytest.mark.parametrize(
    ("images", "truths", "said"),
    [
        ([], None, "no image"),
        ([np.zeros((4, 5), np.uint8)], None, "no RGB image"),
        ([np.zeros((4, 5, 3), np.float32)], None, "no RGB image"),
        ([np.zeros((4, 5, 3), np.uint8)], [0, 1], "do not fit"),
        ([np.zeros((4, 5, 3), np.uint8)], [2], "out of range"),
        (
            [np.zeros((4, 5, 3), np.uint8)],
            [
                Labels(
                    np.full((1, 4), np.nan, np.float32), np.zeros(1, np.int64), np.zeros(1, bool), np.ones(1)
                )
            ],
            "not finite",
        ),
    ],
)
def test_arrays_that_do_not_fit(images: list, truths: list | None, said: str) -> None:
    with pytest.raises(DataError, match=said):
        data.from_arrays(images, truths, ("a", "b"))


def test_two_annotations_are_ambiguous_and_said_outright(tmp_path: Path, write_coco, write_image) -> None:
    root = write_coco(tmp_path)
    (root / "list.csv").write_text("file,label\nimages/1.png,cat\n")
    with pytest.raises(UsageError, match=r"coco:.* or csv:"):
        data.read_dataset(str(root))
    assert data.read_dataset(f"coco:{root}").format == "coco"
    assert data.read_dataset(f"csv:{root}").format == "csv"


def test_unknown_format_gets_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'coco'"):
        data.read_dataset(f"cooc:{tmp_path}")


@pytest.mark.parametrize(
    "spec", ["", "gone/for/good", "coco:gone", "yolo:", "C:\\gone", "a" * 5000, "nul\x00l"]
)
def test_missing_path_is_a_data_error_with_a_hint(spec: str) -> None:
    with pytest.raises(DataError, match="hint: "):
        data.read_dataset(spec)


def test_empty_folder_is_a_data_error(tmp_path: Path) -> None:
    for name in ("", *(f"{f}:" for f in data.FORMATS)):
        with pytest.raises(DataError):
            data.read_dataset(f"{name}{tmp_path}")


def test_every_format_says_no_to_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"\x00\x01")
    for name in data.FORMATS:
        with pytest.raises(DataError):
            data.read_dataset(f"{name}:{tmp_path / 'x.bin'}")[0].read()


def test_importing_the_shelf_imports_no_opencv() -> None:
    code = "import sys, paredown.data; sys.exit('cv2' in sys.modules or 'yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
