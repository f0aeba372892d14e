"""The bundle's detect.py, without Paredown, against Paredown's own path on real models and images."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from paredown.data.images import read_image
from paredown.deploy import write_bundle
from paredown.detections import ClassScores, Detections
from paredown.families.recognition import predict, recognise
from paredown.graph.load import load_model
from paredown.measurement import Trial
from paredown.preprocessing.tensor import preprocess
from paredown.targets import target

sys.path.append(str(Path(__file__).parents[1] / "unit" / "deploy"))
from bare_python import bare_site, run_bare

pytestmark = pytest.mark.real

IMAGES = 3
THREADS = 1  # sums are taken in another order with other thread counts


@pytest.fixture(scope="module")
def material() -> Path:
    if "PAREDOWN_MATERIAL" not in os.environ:
        pytest.skip("PAREDOWN_MATERIAL does not point at the real models")
    return Path(os.environ["PAREDOWN_MATERIAL"])


def names() -> list[str]:
    """One file of each kind of decoding; the card is the default one, right or not: both sides use it."""
    return ["yolov8n", "yolov5n", "yolox_nano", "nanodet_m_320", "person_ssd_retail_0013", "squeezenet1_1"]


@pytest.mark.parametrize("name", names())
def test_the_device_sees_what_was_measured(name: str, material: Path, tmp_path: Path) -> None:
    model = load_model(material / "models" / f"{name}.onnx")
    card = recognise(model).matches[0].cards[0]
    trial = Trial("float", "float", model.sha256, None, "local", 0, None)
    bundle = write_bundle(model, card, trial, target("local"), tmp_path / "best")
    images = sorted((material / "data" / "coco_eval" / "images").glob("*.jpg"))[:IMAGES]
    folder = tmp_path / "images"
    folder.mkdir()
    for image in images:
        (folder / image.name).symlink_to(image)
    done = run_bare(bare_site(tmp_path), bundle, str(folder), "--json", "--threads", str(THREADS))
    assert done.returncode == 0, done.stderr
    session = target("local").compile(model.data, threads=THREADS)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(images)
    for image, answer in zip(images, answers, strict=True):
        tensor, frame = preprocess(read_image(image), card.preprocess)
        expected = predict(session.run({model.inputs[0].name: tensor}), card, frame)
        if isinstance(expected, Detections):
            rows = answer["detections"]
            boxes = np.array([r["box"] for r in rows], np.float32).reshape(-1, 4)
            np.testing.assert_array_equal(boxes, expected.boxes)
            np.testing.assert_array_equal([r["score"] for r in rows], expected.scores)
        else:
            assert isinstance(expected, ClassScores)
            best = int(expected.scores.argmax())
            assert answer["classes"][0] == {
                "class": card.classes[best],
                "score": float(expected.scores[best]),
            }
