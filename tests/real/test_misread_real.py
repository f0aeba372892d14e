"""Real weights behind heads that are easily misread: the right figure, or a refusal that names the cure."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from paredown import api
from paredown.cli import main
from paredown.families.label_maps import COCO_NAMES, COCO_UNUSED

MATERIAL = os.environ.get("PAREDOWN_MATERIAL")
pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(
        MATERIAL is None, reason="PAREDOWN_MATERIAL does not point at the real models and images"
    ),
]
ROOT = Path(MATERIAL or ".")
COCO = ROOT / "data" / "coco_eval"
IMAGES = 8


class Behind:
    """Nodes behind the output of yolov8n: (1, 8400, 84) rows of cx cy w h in pixels and 80 scores."""

    def __init__(self) -> None:
        self.proto = onnx.load(ROOT / "models" / "yolov8n.onnx")
        self.count = 0
        self.rows = self.node("Transpose", self.proto.graph.output[0].name, perm=[0, 2, 1])

    def node(self, op: str, *inputs: object, outputs: int = 1, **attributes: object) -> str:
        """The first output's name, the others end in _1, ...; arrays among the inputs become constants."""
        names = []
        for value in inputs:
            if not isinstance(value, str):
                self.count += 1
                self.proto.graph.initializer.append(
                    numpy_helper.from_array(np.asarray(value), f"behind{self.count}")
                )
                value = f"behind{self.count}"
            names.append(value)
        self.count += 1
        made = [f"made{self.count}" if i == 0 else f"made{self.count}_{i}" for i in range(outputs)]
        self.proto.graph.node.append(helper.make_node(op, names, made, **attributes))
        return made[0]

    def columns(self, *which: int) -> str:
        return self.node("Gather", self.rows, np.array(which), axis=2)

    def best(self, rows: str, width: int, score: str) -> str:
        """The 300 rows (1, 300, width) with the best of `score` (1, 8400)."""
        values = self.node("TopK", score, np.array([300]), outputs=2, axis=1)
        index = self.node("Unsqueeze", f"{values}_1", np.array([2]))
        wide = self.node("Expand", index, np.array([1, 300, width]))
        return self.node("GatherElements", rows, wide, axis=1)

    def finished(self, order: str, numbers: np.ndarray | None = None) -> onnx.ModelProto:
        """Finished detections with the words of `order` for columns; numbers: of the 80 classes."""
        centre, size = self.columns(0, 1), self.columns(2, 3)
        half = self.node("Mul", size, np.float32(0.5))
        low, high = self.node("Sub", centre, half), self.node("Add", centre, half)
        scores = self.columns(*range(4, 84))
        best = self.node("ReduceMax", scores, axes=[2], keepdims=1)
        label = self.node("ArgMax", scores, axis=2, keepdims=1)
        numbered = self.node("Gather", np.arange(80, dtype=np.float32) if numbers is None else numbers, label)
        one = {"score": best, "class": numbered}
        for word, pair, i in (("x1", low, 0), ("y1", low, 1), ("x2", high, 0), ("y2", high, 1)):
            one[word] = self.node("Gather", pair, np.array([i]), axis=2)
        joined = self.node("Concat", *(one[word] for word in order.split()), axis=2)
        flat = self.node("Squeeze", best, np.array([2]))
        return self.ends(self.best(joined, 6, flat), (1, 300, 6))

    def ends(self, output: str, shape: tuple[int, ...], **metadata: str) -> onnx.ModelProto:
        del self.proto.graph.output[:], self.proto.metadata_props[:]
        self.proto.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, shape))
        helper.set_model_props(self.proto, metadata)
        return self.proto


def saved(folder: Path, proto: onnx.ModelProto) -> Path:
    onnx.save(proto, folder / "model.onnx")
    return folder / "model.onnx"


def few(folder: Path, with_truth: bool = True) -> Path:
    """Eight of the evaluation images, copied."""
    content = json.loads((COCO / "instances.json").read_text())
    content["images"] = sorted(content["images"], key=lambda i: i["file_name"])[::20][:IMAGES]
    kept = {i["id"] for i in content["images"]}
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] in kept]
    (folder / "images").mkdir(parents=True)
    for image in content["images"]:
        shutil.copy(COCO / "images" / image["file_name"], folder / "images")
    if with_truth:
        (folder / "instances.json").write_text(json.dumps(content))
    return folder


def map50_95(model: Path, data: Path) -> float:
    images = api.read_dataset(str(data))
    return api.measure(api.load(model, images), images, what=["map"]).value("map50_95")


def test_names_keyed_by_text_and_other_orders_measure_the_same(tmp_path: Path) -> None:
    data = few(tmp_path / "data")
    right = map50_95(ROOT / "models" / "yolov8n.onnx", data)
    proto = onnx.load(ROOT / "models" / "yolov8n.onnx")
    names = json.dumps({str(i): name for i, name in enumerate(COCO_NAMES)})
    del proto.metadata_props[:]
    helper.set_model_props(proto, {"task": "detect", "names": names})
    assert map50_95(saved(tmp_path, proto), data) == pytest.approx(right, abs=1e-6)
    usual = map50_95(saved(tmp_path, Behind().finished("x1 y1 x2 y2 score class")), data)
    assert usual > 0.5 * right  # without NMS some is lost
    for order in ("class x1 y1 x2 y2 score", "x1 y1 x2 y2 class score"):
        assert map50_95(saved(tmp_path, Behind().finished(order)), data) == pytest.approx(usual, abs=1e-6)
    ids = np.array([i for i in range(1, 91) if i not in COCO_UNUSED], np.float32)
    by_id = Behind().finished("x1 y1 x2 y2 score class", ids)
    assert map50_95(saved(tmp_path, by_id), data) == pytest.approx(usual, abs=1e-6)


def joined(metadata: dict[str, str]) -> onnx.ModelProto:
    """RT-DETR's one output of two classes: centre boxes as fractions, two scores."""
    b = Behind()
    best = b.node("ReduceMax", b.columns(4, 6), axes=[2], keepdims=0)
    rows = b.best(b.columns(0, 1, 2, 3, 4, 6), 6, best)
    fractions = b.node("Mul", rows, np.array([1 / 640] * 4 + [1, 1], np.float32))
    return b.ends(fractions, (1, 300, 6), **metadata)


@pytest.mark.parametrize("named", [True, False])
def test_a_set_of_two_classes_is_no_list_of_finished_detections(tmp_path: Path, named: bool) -> None:
    metadata = {"task": "detect", "names": "{0: 'person', 1: 'car'}"} if named else {}
    file = saved(tmp_path, joined(metadata))
    images = api.read_dataset(str(few(tmp_path / "data")))
    if named:
        card = api.load(file, images).card
    else:  # the family has no convention for its input, so it is said
        card = api.load(file, images, scale="0..1", fit="letterbox").card
    assert card is not None
    assert (card.family, card.decode["units"], len(card.classes)) == ("detr", "fractions", 2)


def pose() -> onnx.ModelProto:
    b = Behind()
    box, score, middle = b.columns(0, 1, 2, 3), b.columns(4), b.columns(0, 1)
    rows = b.node("Concat", box, score, *[middle, score] * 17, axis=2)
    return b.ends(b.node("Transpose", rows, perm=[0, 2, 1]), (1, 56, 8400))


def oriented() -> onnx.ModelProto:
    b = Behind()
    turn = b.node("Sigmoid", b.node("Mul", b.columns(30), np.float32(40)))
    angle = b.node("Mul", b.node("Sub", turn, np.float32(0.25)), np.float32(np.pi))
    rows = b.node("Concat", b.columns(*range(19)), angle, axis=2)
    return b.ends(b.node("Transpose", rows, perm=[0, 2, 1]), (1, 20, 8400))


def two_angles() -> onnx.ModelProto:
    b = Behind()
    angle = b.node("Mul", b.node("Sub", b.columns(30), np.float32(0.25)), np.float32(np.pi))
    rows = b.node("Concat", b.columns(*range(19)), angle, b.node("Neg", angle), axis=2)
    return b.ends(b.node("Transpose", rows, perm=[0, 2, 1]), (1, 21, 8400))


@pytest.mark.parametrize(
    ("made", "columns", "task"),
    [
        (pose, "cx cy w h scores*1 keypoints*51", "pose"),
        (oriented, "cx cy w h scores*15 angle", "oriented"),
    ],
)
def test_columns_that_are_no_scores_are_read_as_what_they_are(
    made: Callable[[], onnx.ModelProto], columns: str, task: str, tmp_path: Path
) -> None:
    file, data = saved(tmp_path, made()), few(tmp_path / "plain", with_truth=False) / "images"
    card = api.load(file, api.read_dataset(str(data))).card
    assert card is not None
    assert (card.task, card.decode["columns"]) == (task, columns)


def test_the_refusal_of_a_command_fits_a_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, data = saved(tmp_path, two_angles()), few(tmp_path / "plain", with_truth=False) / "images"
    words = ["run", str(file), "--data", str(data), "--recipes", "int8-minmax", "--out", str(tmp_path / "r")]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "columns = " in said
    assert len(said.splitlines()) < 24


def test_tensorflows_label_map(tmp_path: Path) -> None:
    """91 columns, the background first and COCO's ids with their gaps; 0.302 on all 197 images."""
    images = api.read_dataset(str(COCO))
    some = api.read_dataset(str(few(tmp_path / "data")))
    model = api.load(ROOT / "models" / "ssdlite_mobilenet_v2_coco.onnx", images)
    assert model.card is not None
    assert "toothbrush" in model.card.classes
    assert model.card.preprocess.colour == "rgb"
    assert api.measure(model, some, what=["map"]).value("map50_95") > 0.2
