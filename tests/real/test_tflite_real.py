"""Every real model on LiteRT: float as ONNX Runtime answers, INT8 as near to float as its Q/DQ pairs."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

import litert
import nets
from paredown._compress.compress import compress
from paredown._compress.presets import spelled
from paredown._compress.recipe import Context
from paredown.data import read_dataset
from paredown.graph.load import load_model
from paredown.graph.prepare import prepare
from paredown.graph.run import run_once
from paredown.model import Model
from paredown.runtimes.tflite import write

pytestmark = pytest.mark.real

FLOAT = [
    *("centernet_mbv3_coco", "deeplabv3_mnv2_dm05_voc", "mobilenet_v2", "mobilenet_v2_torchvision"),
    *("nanodet_m_320", "nanodet_m_416", "person_ssd_retail_0013", "picodet_s_416_coco", "resnet20_cifar10"),
    *("squeezenet1_0_deepcompressed", "squeezenet1_1", "ssdlite_mobilenet_v2_coco", "yolo_fastest_1_1_xl"),
    *("yolo_lite_coco", "yolov5n", "yolov8n", "yolov8n_pose_224", "yolox_nano"),
]


@pytest.fixture
def material() -> Path:
    if "PAREDOWN_MATERIAL" not in os.environ:
        pytest.skip("PAREDOWN_MATERIAL does not point at the real models")
    return Path(os.environ["PAREDOWN_MATERIAL"])


def pictures(data: Path, model: Model, n: int, standard: bool = False) -> list[np.ndarray]:
    """n pictures stretched to the model's input, RGB, 0..1; in normal use the model's card says how.

    standard: with ImageNet's mean and deviation instead, about -2..2.6.
    """
    height, width = (int(d or 0) for d in model.inputs[0].shape[2:])
    read = [cv2.resize(s.read(), (width, height)) for s in read_dataset(str(data)).samples[:n]]
    assert len(read) == n
    mean, spread = ((123.7, 116.3, 103.5), (58.4, 57.1, 57.4)) if standard else (0, 255)
    return [np.ascontiguousarray(((p - mean) / spread).transpose(2, 0, 1)[None], np.float32) for p in read]


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOAT)
def test_float_answers_as_onnx_runtime(material: Path, name: str) -> None:
    model = prepare(load_model(material / "models" / f"{name}.onnx"))
    (image,) = pictures(material / "data" / "coco_calib", model, 1)
    want, got = nets.run(model, image), litert.run(write(model), image)
    assert list(got) == [o.name for o in model.outputs]
    for expected, answer in zip(want, got.values(), strict=True):
        assert answer.shape == expected.shape
        assert np.abs(answer - expected).max() <= 1e-3 * np.abs(expected).max()


@pytest.mark.slow
def test_float_rows_in_order_of_score(material: Path) -> None:
    """yolo26n sorts its rows by score: two whose scores are equal to seven digits may change places.

    So the last row may give way to a rival that is out: another object, of the same score.
    """
    model = prepare(load_model(material / "models" / "yolo26n.onnx"))
    file = write(model)
    for image in pictures(material / "data" / "coco_calib", model, 2):
        (want,), (got,) = nets.run(model, image), litert.run(file, image).values()
        assert got.shape == want.shape
        np.testing.assert_allclose(got[..., 4], want[..., 4], atol=1e-5)
        distance = np.abs(want[0][:, None] - got[0][None]).max(axis=2)
        found = distance.min(axis=1) <= 1e-3 * np.abs(want).max()
        assert found.sum() >= len(found) - 1
        np.testing.assert_allclose(want[0, ~found, 4], got[0, -1, 4], atol=1e-6)
        assert len(set(distance.argmin(axis=1)[found])) == found.sum()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data"),
    [("resnet20_cifar10", "cifar10/calib.zip"), ("nanodet_m_416", "coco_calib"), ("yolov8n", "coco_calib")],
)
def test_int8_is_as_near_to_float_as_its_pairs_say(material: Path, name: str, data: str) -> None:
    """The pairs are computed node by node. Rounding elsewhere adds up to less than quantization itself.

    A step in an early layer grows in those behind it, on ONNX Runtime as well. Held against its pairs node by
    node, on the very integers that it read, nanodet_m_416 rounds LEAKY_RELU otherwise, of which it has 48:
    one step, all to one side, in 6 % of a tensor (see `test_leaky_relu_is_one_step_off_at_most`); depthwise
    convolutions in 0.3 %, no more than a step; MaxPool and Concat nowhere. So the bound is the noise itself.
    """
    source = prepare(load_model(material / "models" / f"{name}.onnx"))
    images = pictures(material / "data" / data, source, 19, standard=name != "yolov8n")
    feeds = [{source.inputs[0].name: i} for i in images[:16]]
    context = Context(source, lambda: feeds, nets.ANY_BOARD, nets.POLICY, threads=1)
    made = compress(spelled("int8-minmax"), context).model
    file = write(made)
    assert len(file) < 0.4 * source.size_bytes
    answers = [
        (
            nets.run(source, i),
            list(run_once(made.data, {made.inputs[0].name: i}).values()),
            litert.run(file, i),
        )
        for i in images[16:]
    ]
    for index in range(len(source.outputs)):
        real, pairs, ours = (
            np.concatenate([list(a)[index].ravel() for a in column])
            for column in zip(*((r, p, list(g.values())) for r, p, g in answers), strict=True)
        )
        noise = nets.agreement(real, pairs)
        assert nets.agreement(real, ours) < 1.15 * noise + 1e-3
        assert nets.agreement(pairs, ours) < noise + 1e-3
