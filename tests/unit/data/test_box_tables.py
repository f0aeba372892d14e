"""CSVs of boxes, and the tables of Roboflow's and Kaggle's data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paredown import data
from paredown.errors import DataError

TABLES = {
    "roboflow": "filename,width,height,class,xmin,ymin,xmax,ymax\n"
    "a.png,32,24,dog,4,6,20,18\nb.png,32,24,cat,0,0,9,9\n",
    "retinanet": "image,x1,y1,x2,y2,label\na.png,4,6,20,18,dog\nb.png,0,0,9,9,cat\n",
    "open images": "ImageID,LabelName,XMin,XMax,YMin,YMax\na,dog,.125,.625,.25,.75\nb,cat,0,.28125,0,.375\n",
    "vinbigdata": "image_id,class_name,class_id,x_min,y_min,x_max,y_max\n"
    "a,dog,1,4,6,20,18\nb,cat,0,0,0,9,9\n",
    "corner and size": "file_name,x,y,w,h,category\na.png,4,6,16,12,dog\nb.png,0,0,9,9,cat\n",
    "one cell": 'image_id,bbox,label\na,"[4, 6, 16, 12]",dog\nb,"[0, 0, 9, 9]",cat\n',
    "spaces": "filename;class;xmin;ymin;xmax;ymax\na.png; dog ;4.0;6;20;18\nb.png;cat;0;0;9;9\n",
}


@pytest.fixture
def images(tmp_path: Path, write_image) -> Path:
    for i, name in enumerate("ab"):
        write_image(tmp_path / f"{name}.png", seed=i)
    return tmp_path


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("place", [".", "images", "train"])
def test_boxes_are_found_by_their_headers(tmp_path: Path, write_image, name: str, place: str) -> None:
    for i, image in enumerate("ab"):
        write_image(tmp_path / place / f"{image}.png", seed=i)
    (tmp_path / "labels.csv").write_text(TABLES[name])
    read = data.read_dataset(str(tmp_path))
    assert (read.format, read.classes, read.task, len(read)) == ("csv", ("cat", "dog"), "detect", 2)
    np.testing.assert_allclose(read[0].truth.boxes, [[4, 6, 20, 18]])
    np.testing.assert_allclose(read[1].truth.boxes, [[0, 0, 9, 9]])
    assert [s.truth.classes.tolist() for s in read] == [[1], [0]]
    assert read.notes == ()


def test_several_boxes_and_none(images: Path) -> None:
    text = "filename,xmin,ymin,xmax,ymax,class\na.png,4,6,20,18,dog\na.png,1,1,3,3,dog\nb.png,,,,,\n"
    (images / "boxes.csv").write_text(text)
    read = data.read_dataset(str(images))
    assert [len(s.truth.boxes) for s in read] == [2, 0]


def test_boxes_without_a_class_are_of_one(images: Path) -> None:
    (images / "train.csv").write_text(
        'image_id,width,height,bbox,source\na,32,24,"[4.0, 6.0, 16.0, 12.0]",x\n'
    )
    read = data.read_dataset(str(images))
    assert read.classes == ("0",)
    assert any("no column of train.csv names classes" in note for note in read.notes)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a.png,4,6,20,,dog\n", "row 2"),
        ("a.png,4,6,x,18,dog\n", "row 2"),
        ("a.png,20,6,4,18,dog\n", "negative size"),
        ("a.png,400,600,2000,1800,dog\n", "outside their images by far"),
        ("gone.png,4,6,20,18,dog\n", "1 of 1 images"),
    ],
)
def test_what_cannot_be_true_is_refused(images: Path, rows: str, said: str) -> None:
    (images / "boxes.csv").write_text(f"filename,xmin,ymin,xmax,ymax,class\n{rows}")
    with pytest.raises(DataError, match=said):
        data.read_dataset(f"csv:{images}")


def test_roboflow_tables_in_their_splits(tmp_path: Path, write_image) -> None:
    for split, image in (("train", "a"), ("valid", "b")):
        write_image(tmp_path / "boxes" / split / f"{image}.png")
        (tmp_path / "boxes" / split / "_annotations.csv").write_text(
            f"filename,width,height,class,xmin,ymin,xmax,ymax\n{image}.png,32,24,dog,4,6,20,18\n"
        )
        write_image(tmp_path / "kinds" / split / f"{image}.png")
        (tmp_path / "kinds" / split / "_classes.csv").write_text(f"filename, cat, dog\n{image}.png, 0, 1\n")
    boxes, kinds = (data.read_dataset(str(tmp_path / name)) for name in ("boxes", "kinds"))
    assert (boxes.split, boxes.task, boxes.classes, len(boxes)) == ("valid", "detect", ("dog",), 1)
    assert (kinds.split, kinds.task, kinds.classes, kinds[0].truth) == (
        "valid",
        "classify",
        ("cat", "dog"),
        1,
    )
    assert data.training_split(boxes) is not None


def test_a_table_of_classes_finds_images_in_a_folder_and_without_suffix(tmp_path: Path, write_image) -> None:
    write_image(tmp_path / "images" / "a.png")
    (tmp_path / "train.csv").write_text("image_id,label\na,cat\n")
    read = data.read_dataset(str(tmp_path))
    assert (read.format, read.classes, [s.name for s in read]) == ("csv", ("cat",), ["a.png"])
