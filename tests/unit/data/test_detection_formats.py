"""COCO, YOLO and VOC: the same scene comes back the same, and what is wrong is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from paredown import data
from paredown.errors import DataError, ImageError, UnknownName, UsageError


def test_coco_classes_are_dense_in_id_order(tmp_path: Path, write_coco, coco_box) -> None:
    root = write_coco(tmp_path, [coco_box(1), coco_box(1, category_id=3, iscrowd=1, bbox=[0, 0, 32, 24])])
    read = data.read_dataset(str(root))
    assert (read.format, read.classes, len(read), read.task) == ("coco", ("person", "cat"), 2, "detect")
    truth = read[0].truth
    np.testing.assert_array_equal(truth.boxes, [[1, 2, 11, 14], [0, 0, 32, 24]])
    assert truth.classes.tolist() == [1, 0]
    assert truth.crowd.tolist() == [False, True]
    assert truth.area.tolist() == [60, 60]
    assert truth.boxes.dtype == np.float32
    assert truth.classes.dtype == np.int64
    assert read[1].truth.boxes.shape == (0, 4)  # a true negative
    assert read[0].read().shape == (24, 32, 3)


def test_coco_box_outside_is_clipped_with_a_note(tmp_path: Path, write_coco, coco_box) -> None:
    read = data.read_dataset(str(write_coco(tmp_path, [coco_box(1, bbox=[-5, 2, 100, 4]), coco_box(2)])))
    np.testing.assert_array_equal(read[0].truth.boxes, [[0, 2, 32, 6]])
    assert read.notes == (
        "1 boxes reached outside their image and were clipped, such as annotation 5 in instances.json",
    )


def test_coco_rounding_is_clipped_silently_and_empty_boxes_are_dropped(
    tmp_path: Path, write_coco, coco_box
) -> None:
    read = data.read_dataset(
        str(write_coco(tmp_path, [coco_box(1, bbox=[0, 0, 32.4, 24]), coco_box(2, bbox=[3, 3, 0, 5])]))
    )
    assert len(read[0].truth.boxes) == 1
    assert len(read[1].truth.boxes) == 0
    assert len(read.notes) == 1
    assert "left out" in read.notes[0]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"bbox": [float("nan"), 0, 1, 1]}, "nan"),
        ({"bbox": [0, 0, float("inf"), 1]}, "annotation 5"),
        ({"bbox": [5, 5, -3, 2]}, "negative size"),
        ({"bbox": [5, 5, 3]}, "no box"),
        ({"bbox": ["a", 5, 3, 3]}, "annotation 5"),
        ({"bbox": [10**400, 5, 3, 3]}, "annotation 5"),
        ({"area": -1}, "negative size"),
        ({"category_id": 99}, "unknown category"),
        ({"category_id": [1]}, "unknown category"),
        ({"image_id": 77}, "of an image that is listed"),
        ({"image_id": {}}, "no image_id"),
    ],
)
def test_coco_refuses_what_cannot_be_true(
    tmp_path: Path, write_coco, coco_box, wrong: dict, said: str
) -> None:
    root = write_coco(tmp_path, [coco_box(1, **wrong)])
    with pytest.raises(DataError, match=said):
        data.read_dataset(str(root))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"images": []}, "no image"),
        ({"images": [{"id": 1, "file_name": "1.png"}, {"id": 2, "file_name": "1.png"}]}, "stands twice"),
        ({"images": [{"id": 1, "file_name": "1.png"}, {"id": 9, "file_name": "gone.png"}]}, "1 of 2 images"),
        ({"images": [{"id": 1, "file_name": "gone.png"}]}, "missing"),
        ({"images": [{"id": 1}]}, "without id or file_name"),
        ({"images": [{"id": 1, "file_name": "1.png", "width": -4, "height": 3}]}, "no size"),
        ({"categories": [{"id": 7, "name": "a"}, {"id": 7, "name": "b"}]}, "not distinct"),
        ({"categories": [{"id": 7, "name": ""}]}, "class name"),
        ({"categories": None}, "no list of categories"),
    ],
)
def test_coco_refuses_a_broken_file(tmp_path: Path, write_coco, changes: dict, said: str) -> None:
    with pytest.raises(DataError, match=said):
        data.read_dataset(f"coco:{write_coco(tmp_path, **changes)}")


def test_coco_without_annotations_is_without_truth(tmp_path: Path, write_coco) -> None:
    root = write_coco(tmp_path)
    content = json.loads((root / "instances.json").read_text())
    del content["annotations"]
    (root / "instances.json").write_text(json.dumps(content))
    read = data.read_dataset(str(root))
    assert not read.has_truth
    assert "without truth" in read.notes[0]


def test_coco_size_that_contradicts_the_image_is_told_on_reading(tmp_path: Path, write_coco) -> None:
    images = [{"id": 1, "file_name": "1.png", "width": 24, "height": 32}]
    read = data.read_dataset(str(write_coco(tmp_path, images=images)))
    with pytest.raises(ImageError, match="another size"):
        read[0].read()


def test_coco_official_layout_has_splits(tmp_path: Path, write_coco) -> None:
    root = write_coco(tmp_path)
    (root / "annotations").mkdir()
    content = json.loads((root / "instances.json").read_text())
    for split, keep in (("train2017", 0), ("val2017", 1)):
        part = content | {"images": content["images"][keep : keep + 1], "annotations": []}
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(part))
        (root / split).mkdir()
        (root / "images" / f"{keep + 1}.png").rename(root / split / f"{keep + 1}.png")
    (root / "instances.json").unlink()
    read = data.read_dataset(str(root))
    assert (read.split, [s.name for s in read]) == ("val2017", ["2.png"])
    training = data.training_split(read)
    assert training is not None
    assert (training.split, [s.name for s in training]) == ("train2017", ["1.png"])
    assert data.read_dataset(str(root), split="train").split == "train2017"
    assert data.training_split(training) is None
    with pytest.raises(UnknownName, match="unknown split 'vall2018'"):
        data.read_dataset(str(root), split="vall2018")


def test_coco_unlisted_images_are_told(tmp_path: Path, write_coco, write_image) -> None:
    root = write_coco(tmp_path)
    write_image(root / "images" / "extra.png")
    assert data.read_dataset(str(root)).notes == (
        "1 image files are listed nowhere and were left out, such as 'extra.png'",
    )


def test_yolo_boxes_come_in_pixels(tmp_path: Path, write_yolo) -> None:
    read = data.read_dataset(str(write_yolo(tmp_path)))
    assert (read.format, read.split, read.classes, len(read)) == ("yolo", "val", ("cat", "dog"), 2)
    assert read[0].name == "images/val/1.png"
    np.testing.assert_allclose(read[0].truth.boxes, [[12, 6, 20, 18]])
    assert len(read[1].truth.boxes) == 0
    training = data.training_split(read)
    assert training is not None
    assert training[0].name == "images/train/1.png"
    assert data.read_dataset(f"yolo:{tmp_path / 'data.yaml'}")[0].name == read[0].name


def test_yolo_outline_becomes_its_box_and_doubles_are_kept_once(tmp_path: Path, write_yolo) -> None:
    rows = "1 0.25 0.5 0.5 0.25 0.75 0.75\n" * 2
    read = data.read_dataset(str(write_yolo(tmp_path, rows)))
    np.testing.assert_allclose(read[0].truth.boxes, [[8, 6, 24, 18]])


@pytest.mark.parametrize(
    "names", ["names: {1: dog, 0: cat}", "names:\n  0: cat\n  1: dog", "names:\n- cat\n- dog"]
)
def test_yolo_names_in_any_spelling(tmp_path: Path, write_yolo, names: str) -> None:
    assert data.read_dataset(str(write_yolo(tmp_path, names=names))).classes == ("cat", "dog")


def test_yolo_names_stay_text(tmp_path: Path, write_yolo) -> None:
    assert data.read_dataset(str(write_yolo(tmp_path, names="names: [no, 1.0, ~]"))).classes == (
        "no",
        "1.0",
        "~",
    )


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("2 0.5 0.5 0.1 0.1", "class 2"),
        ("-1 0.5 0.5 0.1 0.1", "no class number"),
        ("0 0.5 0.5 0.1", "4 values"),
        ("0 0.5 0.5 0.1 0.1 0.9", "6 values"),
        ("0 nan 0.5 0.1 0.1", "number that cannot be used"),
        ("0 0.5 0.5 -0.1 0.1", "negative size"),
        ("0 16 12 8 8", "not normalised"),
        ("cat 0.5 0.5 0.1 0.1", "row 1"),
        ("\xff\xfe", "row 1"),
    ],
)
def test_yolo_refuses_a_wrong_row_naming_it(tmp_path: Path, write_yolo, rows: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        data.read_dataset(str(write_yolo(tmp_path, rows)))
    assert "1.txt" in str(caught.value)


def test_yolo_label_without_image_is_refused(tmp_path: Path, write_yolo) -> None:
    root = write_yolo(tmp_path)
    (root / "labels" / "val" / "9.txt").write_text("")
    with pytest.raises(DataError, match=r"1 label files have no image"):
        data.read_dataset(str(root))


def test_yolo_without_any_label_file_knows_nothing(tmp_path: Path, write_yolo) -> None:
    root = write_yolo(tmp_path)
    (root / "labels" / "val" / "1.txt").unlink()
    read = data.read_dataset(str(root))
    assert not read.has_truth
    assert "read without truth" in read.notes[0]


def test_yolo_list_of_images(tmp_path: Path, write_yolo) -> None:
    root = write_yolo(tmp_path)
    (root / "val.txt").write_text("./images/val/2.png\n./images/val/1.png\n./images/val/1.png\n")
    (root / "data.yaml").write_text("val: val.txt\nnames: [cat, dog]\n")
    read = data.read_dataset(str(root))
    assert [Path(s.name).name for s in read] == ["2.png", "1.png"]
    assert "kept once" in read.notes[0]
    (root / "val.txt").write_text("images/val/7.png\n")
    with pytest.raises(DataError, match="1 of 1 images listed"):
        data.read_dataset(str(root))


def test_yolo_same_folder_for_both_splits_is_no_training_split(tmp_path: Path, write_yolo) -> None:
    root = write_yolo(tmp_path)
    (root / "data.yaml").write_text("train: images/val\nval: images/val\nnames: [cat, dog]\n")
    assert data.training_split(data.read_dataset(str(root))) is None


def test_yolo_with_two_descriptions_asks_which(tmp_path: Path, write_yolo) -> None:
    root = write_yolo(tmp_path)
    (root / "data.yaml").rename(root / "one.yaml")
    (root / "unrelated.yaml").write_text("[broken")
    assert len(data.read_dataset(str(root))) == 2
    (root / "two.yaml").write_text((root / "one.yaml").read_text())
    with pytest.raises(UsageError, match=r"yolo:.*one\.yaml"):
        data.read_dataset(str(root))
    assert len(data.read_dataset(f"yolo:{root / 'two.yaml'}")) == 2


def test_training_split_that_is_not_there_points_to_calib(tmp_path: Path, write_yolo) -> None:
    root = write_yolo(tmp_path)
    (root / "images" / "train").rename(root / "elsewhere")
    with pytest.raises(DataError, match=r"training split 'train'[\s\S]*--calib"):
        data.training_split(data.read_dataset(str(root)))


def test_only_a_training_split_is_read_with_a_warning_note(tmp_path: Path, write_yolo) -> None:
    root = write_yolo(tmp_path)
    (root / "data.yaml").write_text("train: images/train\nnames: [cat, dog]\n")
    read = data.read_dataset(str(root))
    assert read.split == "train"
    assert "looks better than it is" in read.notes[-1]
    assert data.read_dataset(str(root), split="train").notes == ()


def test_a_broken_image_is_left_to_verify_in_every_format(
    tmp_path: Path, write_yolo, write_coco, write_voc
) -> None:
    yolo, coco, voc = write_yolo(tmp_path / "y"), write_coco(tmp_path / "c"), write_voc(tmp_path / "v")
    images = [{"id": i, "file_name": f"{i}.png"} for i in (1, 2)]
    content = json.loads((coco / "instances.json").read_text()) | {"images": images}
    (coco / "instances.json").write_text(json.dumps(content))
    for file in (yolo / "images/val/1.png", coco / "images/1.png", voc / "JPEGImages/a.png"):
        file.write_bytes(b"broken")
    for root in (yolo, coco, voc):
        read = data.read_dataset(str(root))
        with pytest.raises(ImageError, match=r"(1|a)\.png"):
            data.verify(read)
    assert len(data.verify(data.read_dataset(str(yolo)), max_bad=1)) == 1


@pytest.mark.parametrize(
    "content", ["val: [", "- a\n- b", "val: images/val\nnames: 3", "a: &a [*a]", "[" * 9999]
)
def test_yolo_refuses_a_broken_description(tmp_path: Path, write_yolo, content: str) -> None:
    root = write_yolo(tmp_path)
    (root / "data.yaml").write_text(content)
    with pytest.raises(DataError, match=r"data\.yaml"):
        data.read_dataset(f"yolo:{root}")


def test_voc_counts_pixels_from_one(tmp_path: Path, write_voc) -> None:
    read = data.read_dataset(str(write_voc(tmp_path, extra="<difficult>1</difficult>")))
    assert (read.format, read.split, read.classes, [s.name for s in read]) == (
        "voc",
        "val",
        ("dog",),
        ["a.png"],
    )
    np.testing.assert_array_equal(read[0].truth.boxes, [[0, 0, 16, 12]])
    assert read[0].truth.crowd.tolist() == [True]
    training = data.training_split(read)
    assert training is not None
    assert [s.name for s in training] == ["b.png"]


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE a [<!ENTITY b "b">]>',
        '<!DOCTYPE a SYSTEM "file:///etc/hostname">',
        "<broken",
        '<?xml version="1.0" encoding="nonsense"?>',
        "<a>" * 50,
    ],
)
def test_voc_refuses_entities_and_broken_xml(tmp_path: Path, write_voc, head: str) -> None:
    with pytest.raises(DataError, match=r"a\.xml"):
        data.read_dataset(str(write_voc(tmp_path, head=head)))


@pytest.mark.parametrize("corners", [("nan", 1, 2, 2), (9, 9, 3, 3), ("", 1, 2, 2), ("1e999", 1, 2, 2)])
def test_voc_refuses_impossible_boxes(tmp_path: Path, write_voc, corners: tuple) -> None:
    with pytest.raises(DataError, match=r"object 1 in a\.xml"):
        data.read_dataset(str(write_voc(tmp_path, corners)))


def test_voc_annotation_without_image_is_refused(tmp_path: Path, write_voc) -> None:
    root = write_voc(tmp_path)
    (root / "JPEGImages" / "a.png").unlink()
    with pytest.raises(DataError, match="1 annotations have no image"):
        data.read_dataset(str(root))


def test_split_of_a_data_set_without_splits_is_a_usage_error(tmp_path: Path, write_coco) -> None:
    with pytest.raises(UsageError, match="no splits"):
        data.read_dataset(str(write_coco(tmp_path)), split="train")
