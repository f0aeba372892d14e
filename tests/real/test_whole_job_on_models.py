"""The whole job on real models and few images: what is promised about each kind, not how well it does."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from paredown.cli import main

MATERIAL = os.environ.get("PAREDOWN_MATERIAL")
pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(MATERIAL is None, reason="PAREDOWN_MATERIAL does not point at real models and images"),
]
ROOT = Path(MATERIAL or "")
IMAGES = 16
DETECTORS = ("yolov8n", "nanodet_m_320", "person_ssd_retail_0013")
MODELS = {
    "yolov8n": "yolov8",
    "yolov5n": "yolov5",
    "yolox_nano": "yolox",
    "nanodet_m_320": "nanodet",
    "nanodet_m_416": "nanodet",
    "yolo_fastest_1_1_xl": "darknet",
    "person_ssd_retail_0013": "ssd",
    "squeezenet1_1": "classifier",
    "mobilenet_v2": "classifier",
    "resnet20_cifar10": "classifier",
}


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> Path:
    """The first images of the evaluation set with their truth."""
    folder = tmp_path_factory.mktemp("few")
    content = json.loads((ROOT / "data/coco_eval/instances.json").read_text())
    content["images"] = content["images"][:IMAGES]
    kept = {image["id"] for image in content["images"]}
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] in kept]
    (folder / "images").mkdir()
    for image in content["images"]:
        shutil.copy(ROOT / "data/coco_eval/images" / image["file_name"], folder / "images")
    (folder / "instances.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("name", MODELS)
def test_every_model_can_be_looked_into(name, capsys):
    assert main(["inspect", str(ROOT / f"models/{name}.onnx"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["card"]["family"] == MODELS[name]
    assert found["macs"] > 0
    assert found["inspection"]["weights"] > 100_000


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_goes_through_the_whole_job(name, few, tmp_path, capsys):
    model, out = ROOT / f"models/{name}.onnx", tmp_path / "out"
    given = [
        "run",
        str(model),
        "--data",
        str(few),
        "--recipes",
        "int8",
        "--out",
        str(out),
        "--json",
        "--quiet",
    ]
    assert main(given) == 0
    answer = json.loads(capsys.readouterr().out)
    trials = {t["label"]: t for t in answer["trials"]}
    assert trials["float"]["quantities"]["map50_95"]["value"] > 0.05
    assert trials["int8"]["error"] is None
    assert trials["int8"]["quantities"]["map50_95"]["value"] > 0.02  # naive quantization gives 0
    assert trials["int8"]["quantities"]["size_bytes"]["value"] < 0.5 * model.stat().st_size
    assert (out / "best" / "detect.py").is_file()


def test_a_classifier_goes_through_the_whole_job(tmp_path, capsys):
    data = ROOT / "data/imagenet_sample"
    given = ["run", str(ROOT / "models/squeezenet1_1.onnx"), "--data", str(data / "eval.csv")]
    given += ["--calib", str(data / "calib.csv"), "--recipes", "int8", "--out", str(tmp_path / "out")]
    assert main([*given, "--json", "--quiet"]) == 0
    trials = {t["label"]: t["quantities"] for t in json.loads(capsys.readouterr().out)["trials"]}
    assert trials["float"]["top1"]["value"] > 0.6
    assert trials["int8"]["top1"]["value"] > 0.5
