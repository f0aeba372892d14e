"""A data set names files of its own folder only, whatever way it names them; --allow-outside lifts that."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from paredown import data
from paredown.errors import DataError

Write = Callable[..., Path]


@pytest.fixture
def secret(tmp_path: Path, write_image: Write) -> Path:
    return write_image(tmp_path / "private" / "1.png", seed=9)


def linked_image(root: Path, secret: Path) -> str:
    (root / "images" / "1.png").unlink()
    (root / "images" / "1.png").symlink_to(secret)
    return str(root)


def linked_folder(root: Path, secret: Path) -> str:
    shutil.rmtree(root / "images")
    shutil.copy(secret, secret.with_name("2.png"))
    (root / "images").symlink_to(secret.parent)
    return str(root)


def linked_annotations(root: Path, secret: Path) -> str:
    (root / "instances.json").rename(secret.with_name("x.json"))
    (root / "instances.json").symlink_to(secret.with_name("x.json"))
    return f"coco:{root}"


def upwards(root: Path, secret: Path) -> str:
    content = json.loads((root / "instances.json").read_text())
    content["images"][0]["file_name"] = "../../private/1.png"
    (root / "instances.json").write_text(json.dumps(content))
    return str(root)


def absolute(root: Path, secret: Path) -> str:
    content = json.loads((root / "instances.json").read_text())
    content["images"][0]["file_name"] = str(secret)
    content["images"][1]["file_name"] = str(root / "images" / "2.png")
    (root / "instances.json").write_text(json.dumps(content))
    return str(root)


def csv_upwards(root: Path, secret: Path) -> str:
    (root / "list.csv").write_text("file,label\n../private/1.png,cat\nimages/2.png,dog\n")
    return f"csv:{root}"


def csv_absolute(root: Path, secret: Path) -> str:
    (root / "list.csv").write_text(f"file,label\n{secret},cat\nimages/2.png,dog\n")
    return str(root / "list.csv")


def yolo_path(root: Path, secret: Path) -> str:
    (root / "data.yaml").write_text(f"path: {secret.parent}\nval: .\nnames: [cat]\n")
    return str(root / "data.yaml")


def yolo_place(root: Path, secret: Path) -> str:
    (root / "data.yaml").write_text("val: ../private\nnames: [cat]\n")
    return f"yolo:{root}"


def yolo_list(root: Path, secret: Path) -> str:
    (root / "val.txt").write_text("../private/1.png\n")
    (root / "data.yaml").write_text("val: val.txt\nnames: [cat]\n")
    return f"yolo:{root}"


def yolo_labels(root: Path, secret: Path) -> str:
    secret.with_suffix(".txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (root / "labels").mkdir()
    (root / "labels" / "1.txt").symlink_to(secret.with_suffix(".txt"))
    (root / "data.yaml").write_text("val: images\nnames: [cat]\n")
    return f"yolo:{root}"


def darknet_names(root: Path, secret: Path) -> str:
    secret.with_suffix(".names").write_text("cat\n")
    (root / "images" / "1.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (root / "obj.data").write_text("names = ../private/1.names\n")
    return f"yolo:{root}"


def voc_link(root: Path, secret: Path) -> str:
    secret.with_suffix(".xml").write_text(
        "<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>"
        "</bndbox></object></annotation>"
    )
    (root / "annotations").mkdir()
    (root / "annotations" / "1.xml").symlink_to(secret.with_suffix(".xml"))
    shutil.copy(secret.with_suffix(".xml"), root / "annotations" / "2.xml")
    return f"voc:{root}"


def plain_link(root: Path, secret: Path) -> str:
    return f"plain:{linked_image(root, secret)}"


def class_link(root: Path, secret: Path) -> str:
    (root / "cat").mkdir()
    (root / "cat" / "1.png").symlink_to(secret)
    return f"folders:{root}"


def single_link(root: Path, secret: Path) -> str:
    return f"{linked_image(root, secret)}/images/1.png"


WAYS = [
    linked_image,
    linked_folder,
    linked_annotations,
    upwards,
    absolute,
    csv_upwards,
    csv_absolute,
    yolo_path,
    yolo_place,
    yolo_list,
    yolo_labels,
    darknet_names,
    voc_link,
    plain_link,
    class_link,
]


@pytest.mark.parametrize("way", WAYS)
def test_outside_is_refused_unless_allowed(tmp_path: Path, write_coco, secret: Path, way) -> None:
    spec = way(write_coco(tmp_path / "set"), secret)
    with pytest.raises(DataError, match="outside its own folder") as caught:
        data.read_dataset(spec)
    assert "--allow-outside" in str(caught.value)
    read = data.read_dataset(spec, allow_outside=True)
    for sample in read:
        sample.read()


def test_the_training_split_is_held_to_the_same(tmp_path: Path, write_yolo, secret: Path) -> None:
    root = write_yolo(tmp_path / "set")
    (root / "images" / "train" / "2.png").unlink()
    (root / "images" / "train" / "2.png").symlink_to(secret)
    read = data.read_dataset(str(root))
    with pytest.raises(DataError, match="training split") as caught:
        data.training_split(read)
    assert "outside" in str(caught.value)
    assert data.training_split(read, allow_outside=True) is not None


@pytest.mark.parametrize("link", ["set", "images"])
def test_a_folder_that_the_user_names_may_be_a_link(tmp_path: Path, write_coco, link: str) -> None:
    root = write_coco(tmp_path / "real")
    (tmp_path / "link").symlink_to(root if link == "set" else root / "images")
    assert len(data.read_dataset(str(tmp_path / "link"))) == 2


def test_links_inside_the_folder_are_no_matter(tmp_path: Path, write_coco) -> None:
    root = write_coco(tmp_path)
    (root / "pool").mkdir()
    (root / "images" / "1.png").rename(root / "pool" / "x.png")
    (root / "images" / "1.png").symlink_to("../pool/x.png")
    assert len(data.read_dataset(f"coco:{root}")) == 2
    assert len(data.read_dataset(f"coco:{root / 'instances.json'}")) == 2


def test_an_annotation_file_named_outright_speaks_of_the_folder_above(tmp_path: Path, write_coco) -> None:
    root = write_coco(tmp_path)
    (root / "annotations").mkdir()
    (root / "instances.json").rename(root / "annotations" / "val.json")
    assert len(data.read_dataset(str(root / "annotations" / "val.json"))) == 2


def test_a_label_file_outside_is_not_quoted(tmp_path: Path, write_coco, secret: Path) -> None:
    """What stands in a file outside must not reach the error either."""
    spec = yolo_labels(write_coco(tmp_path / "set"), secret)
    secret.with_suffix(".txt").write_text("root:x:0:0:secret\n")
    with pytest.raises(DataError) as caught:
        data.read_dataset(spec)
    assert "root:x" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
@pytest.mark.parametrize(
    "name", ["images/1.png", "instances.json", "x.csv", "data.yaml", "images/1.txt", "a.xml"]
)
def test_a_pipe_never_keeps_us_waiting(tmp_path: Path, write_coco, name: str) -> None:
    root = write_coco(tmp_path)
    content = json.loads((root / "instances.json").read_text())
    for image in content["images"]:
        del image["width"]
    (root / "instances.json").write_text(json.dumps(content))
    (root / name).unlink(missing_ok=True)
    os.mkfifo(root / name)
    for form in ("", "coco:", "plain:", "csv:", "yolo:", "voc:"):
        try:
            for sample in data.read_dataset(f"{form}{root}"):
                sample.read()
        except DataError:
            continue


@pytest.mark.parametrize("place", ["/dev/zero", "/dev/random", "/dev/null", "/dev/stdin"])
def test_a_device_is_no_data_set(tmp_path: Path, place: str) -> None:
    if not os.path.exists(place):
        pytest.skip(f"no {place} here")
    for form in ("", *(f"{f}:" for f in data.FORMATS)):
        with pytest.raises(DataError):
            data.read_dataset(f"{form}{place}")


def test_what_is_refused_is_named_as_seen_from_the_data_sets_folder(
    tmp_path: Path, write_coco, secret: Path
) -> None:
    root = write_coco(tmp_path / "set")
    outside = plain_link(root, secret).split(":")[-1]
    link = tmp_path / "deeper" / "still"
    link.parent.mkdir()
    link.symlink_to(outside)
    with pytest.raises(DataError, match="outside its own folder") as caught:
        data.read_dataset(f"plain:{link}")
    assert ".." not in str(caught.value.got)
