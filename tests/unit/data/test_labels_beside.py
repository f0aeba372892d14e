"""Labels as tools leave them beside the images: read, or named in a note. Never dropped in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from paredown import data
from paredown.errors import DataError, UsageError
from paredown.sample import Dataset

XML = (
    "<annotation><filename>{n}.png</filename><size><width>32</width><height>24</height></size><object>"
    "<name>person</name><difficult>0</difficult><bndbox><xmin>5.5</xmin><ymin>7.0</ymin><xmax>20.25</xmax>"
    "<ymax>18.0</ymax></bndbox></object></annotation>"
)
ROW = "0 0.5 0.5 0.25 0.5\n"  # 12 6 20 18 in an image of 32 x 24
Write = Callable[..., Path]


def lay(root: Path, write_image: Write, image: str, label: str, text: str, names: str = "ab") -> Path:
    """An image and a label for each name; `{n}` in the paths and the text is the name."""
    for i, n in enumerate(names):
        write_image(root / image.format(n=n), seed=i)
        path = root / label.format(n=n)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{n}", n))
    return root


def boxes(dataset: Dataset) -> list[list[float]]:
    return [s.truth.boxes.round(2).tolist()[0] for s in dataset]


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("{n}.png", "{n}.xml"),
        ("{n}.png", "{n}.XML"),
        ("images/{n}.png", "annotations/{n}.xml"),
        ("images/{n}.png", "Annotations/{n}.xml"),
        ("JPEGImages/{n}.png", "annotations/{n}.xml"),
        ("jpegimages/{n}.png", "Annotations/{n}.xml"),
        ("images/{n}.png", "annotations/xmls/{n}.xml"),
        ("images/val/{n}.png", "annotations/val/{n}.xml"),
        ("images/val/{n}.png", "annotations/{n}.xml"),
        ("{n}.png", "annotations/{n}.xml"),
        ("valid/{n}.png", "valid/{n}.xml"),
        ("valid/images/{n}.png", "valid/annots/{n}.xml"),
    ],
)
def test_voc_xml_wherever_it_stands(tmp_path: Path, write_image, image: str, label: str) -> None:
    read = data.read_dataset(str(lay(tmp_path, write_image, image, label, XML)))
    assert (read.format, read.classes, len(read), read.task) == ("voc", ("person",), 2, "detect")
    assert boxes(read) == [[4.5, 6, 20.25, 18]] * 2
    assert read.notes == ()


@pytest.mark.parametrize(
    ("image", "label", "names"),
    [
        ("{n}.png", "{n}.txt", "classes.txt"),
        ("{n}.png", "{n}.txt", "obj.names"),
        ("images/{n}.png", "labels/{n}.txt", "classes.txt"),
        ("Images/{n}.png", "Labels/{n}.txt", "Labels/classes.txt"),
        ("images/val/{n}.png", "labels/val/{n}.txt", "labels/classes.txt"),
        ("val/images/{n}.png", "val/labels/{n}.txt", "classes.txt"),
        ("valid/{n}.png", "valid/{n}.txt", "valid/_darknet.labels"),
        ("obj_train_data/{n}.png", "obj_train_data/{n}.txt", "obj.names"),
    ],
)
def test_yolo_txt_without_data_yaml(tmp_path: Path, write_image, image: str, label: str, names: str) -> None:
    root = lay(tmp_path, write_image, image, label, ROW)
    (root / names).write_text("person\ncar\n")
    read = data.read_dataset(str(root))
    assert (read.format, read.classes, len(read)) == ("yolo", ("person", "car"), 2)
    assert boxes(read) == [[12, 6, 20, 18]] * 2
    assert read.notes == ()


def test_yolo_txt_whose_classes_nothing_names_is_numbered_with_a_word(tmp_path: Path, write_image) -> None:
    root = lay(tmp_path, write_image, "images/{n}.png", "labels/{n}.txt", "2 0.5 0.5 0.25 0.5\n")
    write_image(root / "images" / "bare.png")
    read = data.read_dataset(str(root))
    assert (read.format, read.classes, len(read)) == ("yolo", ("0", "1", "2"), 3)
    assert any("nothing names the classes" in note and "classes.txt" in note for note in read.notes)
    assert any("1 images have no label file" in note and "bare.png" in note for note in read.notes)


def test_yolo_class_beyond_the_names_is_refused(tmp_path: Path, write_image) -> None:
    root = lay(tmp_path, write_image, "{n}.png", "{n}.txt", "3 0.5 0.5 0.25 0.5\n")
    (root / "classes.txt").write_text("person\n")
    with pytest.raises(DataError, match=r"class 3 in .*a\.txt, row 1"):
        data.read_dataset(str(root))


def test_two_lists_of_names_that_differ_are_refused(tmp_path: Path, write_image) -> None:
    root = lay(tmp_path, write_image, "{n}.png", "{n}.txt", ROW)
    (root / "classes.txt").write_text("person\n")
    (root / "obj.names").write_text("person\n")
    assert data.read_dataset(str(root)).classes == ("person",)
    (root / "obj.names").write_text("car\n")
    with pytest.raises(DataError, match="name the classes, and differ"):
        data.read_dataset(str(root))


def test_darknet_obj_data_and_its_lists(tmp_path: Path, write_image) -> None:
    root = lay(tmp_path, write_image, "obj_train_data/{n}.png", "obj_train_data/{n}.txt", ROW, "abc")
    (root / "obj.data").write_text(
        "classes = 2\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = data/obj.names\n"
    )
    (root / "obj.names").write_text("person\ncar\n")
    (root / "train.txt").write_text("data/obj_train_data/a.png\ndata/obj_train_data/b.png\n")
    (root / "valid.txt").write_text("data\\obj_train_data\\c.png\r\n")
    for spec in (root, root / "obj.data"):
        read = data.read_dataset(str(spec))
        assert (read.format, read.split, read.classes) == ("yolo", "valid", ("person", "car"))
        assert [s.name for s in read] == ["obj_train_data/c.png"]
    training = data.training_split(read)
    assert training is not None
    assert len(training) == 2
    (root / "valid.txt").write_text("data/obj_train_data/gone.png\n")
    with pytest.raises(DataError, match="1 of 1 images listed"):
        data.read_dataset(str(root))


def test_roboflow_splits_of_xml_and_txt(tmp_path: Path, write_image) -> None:
    for kind, label, text in (("voc", "{n}.xml", XML), ("yolo", "{n}.txt", ROW)):
        root = tmp_path / kind
        for split, names in (("train", "abc"), ("valid", "d"), ("test", "e")):
            lay(root / split, write_image, "{n}.png", label, text, names)
        read = data.read_dataset(str(root))
        assert (read.format, read.split, len(read)) == (kind, "valid", 1)
        training = data.training_split(read)
        assert training is not None
        assert len(training) == 3


def test_roboflow_data_yaml_with_its_paths_one_folder_up(tmp_path: Path, write_image) -> None:
    root = lay(tmp_path / "set", write_image, "valid/images/{n}.png", "valid/labels/{n}.txt", ROW)
    (root / "data.yaml").write_text("val: ../valid/images\nnc: 1\nnames: ['person']\n")
    read = data.read_dataset(str(root))
    assert (read.split, boxes(read)) == ("val", [[12, 6, 20, 18]] * 2)


def test_xml_and_txt_together_are_asked_about(tmp_path: Path, write_image) -> None:
    root = lay(tmp_path, write_image, "{n}.png", "{n}.xml", XML)
    lay(root, write_image, "{n}.png", "{n}.txt", ROW)
    with pytest.raises(UsageError, match=r"yolo:.* or voc:"):
        data.read_dataset(str(root))
    read = data.read_dataset(f"voc:{root}")
    assert any(".txt" in note and "not read" in note for note in read.notes)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "a caption of the picture"),
        ("export.json", '{"regions": [{"shape": "rect"}]}'),
        ("labels.xml", "<dataset><image file='a.png'><box top='1'/></image></dataset>"),
        ("train.tfrecord", "\x00"),
        ("boxes.csv", "a.png,1,2,3,4,person\n"),
        ("deeper/task_1.jsonl", '{"annotations": []}'),
        ("gt.txt", "1, 1, 2, 3, 4\n1 1 2 3 4\n"),
    ],
)
def test_what_looks_like_a_label_and_is_not_read_is_named(
    tmp_path: Path, write_image, name: str, text: str
) -> None:
    write_image(tmp_path / "a.png")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    read = data.read_dataset(f"plain:{tmp_path}")
    assert not read.has_truth
    assert any(name in note and "not read" in note for note in read.notes), read.notes


def test_what_is_no_label_is_not_named(tmp_path: Path, write_image) -> None:
    write_image(tmp_path / "a.png")
    (tmp_path / "README.txt").write_text("boxes 1 2 3 4")
    (tmp_path / "package.json").write_text('{"version": 1}')
    (tmp_path / "notes.txt").write_text("taken on Monday, 4 pictures")
    assert data.read_dataset(str(tmp_path)).notes == ()


@pytest.mark.parametrize(
    ("label", "text"),
    [("labels/a.txt", ROW), ("annotations/a.xml", XML), ("data.yaml", "val: images\nnames: [a]\n")],
)
def test_labels_beside_the_folder_that_was_named_are_told(
    tmp_path: Path, write_image, label: str, text: str
) -> None:
    write_image(tmp_path / "images" / "a.png")
    (tmp_path / label).parent.mkdir(exist_ok=True)
    (tmp_path / label).write_text(text)
    read = data.read_dataset(str(tmp_path / "images"))
    assert not read.has_truth
    assert any(Path(label).parts[0] in n and "folder above" in n for n in read.notes)


@pytest.mark.parametrize(
    "changes",
    [
        {"iscrowd": False},
        {"iscrowd": None},
        {"image_id": 1.0},
        {"image_id": "1"},
        {"category_id": "7"},
        {"category_id": 7.0},
        {"segmentation": [[1, 2, 3, 4, 5, 6]]},
    ],
)
def test_coco_as_other_tools_spell_it(tmp_path: Path, write_coco, coco_box, changes: dict) -> None:
    read = data.read_dataset(str(write_coco(tmp_path, [coco_box(1, **changes)])))
    assert boxes(read[:1]) == [[1, 2, 11, 14]]
    assert read[0].truth.crowd.tolist() == [False]
    assert data.read_dataset(str(tmp_path))[1].truth.boxes.shape == (0, 4)


def test_coco_annotations_of_images_that_are_not_listed(tmp_path: Path, write_coco, coco_box) -> None:
    read = data.read_dataset(str(write_coco(tmp_path, [coco_box(1), coco_box(77, id=9), coco_box(77)])))
    assert boxes(read[:1]) == [[1, 2, 11, 14]]
    assert [n for n in read.notes if "2 annotations are of images" in n and "annotation 9" in n]
    with pytest.raises(DataError, match=r"no annotation of .* is of an image that is listed"):
        data.read_dataset(str(write_coco(tmp_path / "all", [coco_box(77)])))


def test_coco_boxes_written_as_corners_are_refused(tmp_path: Path, write_coco, coco_box) -> None:
    corners = [coco_box(1, bbox=[10, 10, 30, 22]), coco_box(1, bbox=[4, 2, 20, 20])]
    with pytest.raises(DataError, match=r"look like x1 y1 x2 y2[\s\S]*hint"):
        data.read_dataset(str(write_coco(tmp_path, corners)))


def test_boxes_of_other_pixels_than_the_images_are_refused(
    tmp_path: Path, write_coco, coco_box, write_voc
) -> None:
    far = [coco_box(1, bbox=[100, 200, 50, 60]), coco_box(2, bbox=[90, 10, 400, 300]), coco_box(2)]
    with pytest.raises(DataError, match="2 of 3 boxes lie outside their images by far"):
        data.read_dataset(str(write_coco(tmp_path / "far", far)))
    with pytest.raises(DataError, match="look like fractions"):
        data.read_dataset(str(write_coco(tmp_path / "part", [coco_box(1, bbox=[0.1, 0.2, 0.5, 0.6])])))
    with pytest.raises(DataError, match="look like fractions"):
        data.read_dataset(str(write_voc(tmp_path / "voc", (0.1, 0.2, 0.5, 0.6))))


@pytest.mark.parametrize(
    ("place", "images"),
    [
        ("annotations/val.json", "images"),
        ("annotations/instances_default.json", "images"),
        ("Annotations/instances_val2017.json", "val2017"),
        ("result.json", "images"),
        ("labels.json", "data"),
        ("valid/_annotations.coco.json", "valid"),
        ("val/annotations.json", "val"),
    ],
)
def test_coco_where_other_tools_put_it(tmp_path: Path, write_coco, place: str, images: str) -> None:
    root = write_coco(tmp_path)
    content = (root / "instances.json").read_text()
    (root / "instances.json").unlink()
    (root / place).parent.mkdir(exist_ok=True)
    if images != "images":
        (root / images).mkdir(exist_ok=True)
        for file in (root / "images").iterdir():
            file.rename(root / images / file.name)
        (root / "images").rmdir()
    (root / place).write_text(content)
    read = data.read_dataset(str(root))
    assert (read.format, len(read), boxes(read[:1]), read.notes) == ("coco", 2, [[1, 2, 11, 14]], ())


@pytest.mark.parametrize("prefix", ["images/", "images\\", "C:\\Users\\me\\", "..\\..\\upload\\"])
def test_coco_file_names_of_another_machine(tmp_path: Path, write_coco, prefix: str) -> None:
    images = [{"id": i, "file_name": f"{prefix}{i}.png", "width": 32, "height": 24} for i in (1, 2)]
    read = data.read_dataset(str(write_coco(tmp_path, images=images)))
    assert [Path(s.name).name for s in read] == ["1.png", "2.png"]
    np.testing.assert_array_equal(read[0].truth.boxes, [[1, 2, 11, 14]])


def test_coco_other_files_of_the_same_images_are_named(tmp_path: Path, write_coco) -> None:
    root = write_coco(tmp_path)
    (root / "annotations").mkdir()
    (root / "instances.json").rename(root / "annotations" / "instances_val2017.json")
    captions = {"images": [], "annotations": [{"caption": "a cat"}]}
    (root / "annotations" / "captions_val2017.json").write_text(json.dumps(captions))
    (root / "annotations" / "captions_train2017.json").write_text(json.dumps(captions))
    read = data.read_dataset(str(root))
    assert read.split == "val2017"
    assert len(read.notes) == 1
    assert "captions_val2017.json" in read.notes[0]


@pytest.mark.parametrize("command", ["measure", "compare", "inspect", "card", "compress"])
def test_every_command_prints_what_was_not_read(
    command: str, tmp_path: Path, write_image, capsys, monkeypatch
) -> None:
    from importlib.resources import files

    from paredown.cli import main

    for i in range(4):
        write_image(tmp_path / "set" / f"{i}.png", 64, 64, seed=i)
    (tmp_path / "set" / "labels.jsonl").write_text('{"bbox": [1, 2, 3, 4]}\n')
    model, out = str(files("paredown.demo") / "detector.onnx"), str(tmp_path / "out")
    words = {
        "measure": [model, "--data", "DATA", "--what", "map", "--baseline", model],
        "compare": [model, model, "--data", "DATA"],
        "inspect": [model, "--data", "DATA"],
        "card": [model, "--data", "DATA", "--out", str(tmp_path / "card.toml")],
        "compress": [model, "--calib", "DATA", "--recipe", "int8-minmax", "--out", out],
    }[command]
    main([command, *(str(tmp_path / "set") if w == "DATA" else w for w in words)])
    assert "labels.jsonl" in capsys.readouterr().err
