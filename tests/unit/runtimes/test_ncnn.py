"""The runtime ncnn: what pnnx makes of a model answers as the model does, or is refused."""

from __future__ import annotations

import numpy as np
import pytest

from paredown.errors import MissingDependency, ModelError, UnsupportedModel
from paredown.graph.run import random_feeds, run_once
from paredown.runtimes import ncnn, pnnx
from paredown.testing import networks
from paredown.testing.runtimes import DEVICE, small_network

try:
    ncnn.version()
    pnnx._program()
except MissingDependency as error:
    pytest.skip(f"{error.what}: {error.hint}", allow_module_level=True)


def check(model, folder):
    """The session's answers are the model's, in their order; gives them."""
    session = ncnn.open(ncnn.build(model.data, DEVICE, folder), threads=1)
    feeds = random_feeds(model, seed=3)
    found, wanted = session.run(feeds), run_once(model.data, feeds)
    assert list(found) == list(wanted)
    for name, want in wanted.items():
        np.testing.assert_allclose(found[name], want, atol=1e-5 * np.ptp(want))
    return found


def test_the_files_are_named_and_in_float32(tmp_path):
    artifact = ncnn.build(small_network(), DEVICE, tmp_path)
    assert [f.name for f in artifact.files] == ["model.ncnn.param", "model.ncnn.bin", "model.ncnn.json"]
    assert {p.name for p in tmp_path.iterdir()} == {f.name for f in artifact.files}
    floats = 4 * (4 * 3 * 9 + 4 + 2 * 4)
    assert floats <= artifact.files[1].stat().st_size <= floats + 16  # a tag in front of each weight


def test_outputs_keep_their_order(tmp_path):
    net = networks.Net()
    x = net.conv("image", 3, 4)
    one, other = net.conv(x, 4, 2), net.node("Relu", x)
    check(net.model(other, one), tmp_path)


def test_a_slice_with_a_step_is_computed(tmp_path):
    """YOLOX's first layer: every second pixel, in four phases."""
    net = networks.Net()
    parts = []
    for first in ([0, 0], [1, 0], [0, 1], [1, 1]):
        asked = [net.constant(np.array(v, np.int64)) for v in (first, [2**31 - 1] * 2, [2, 3], [2, 2])]
        parts.append(net.node("Slice", "image", *asked))
    check(net.model(net.conv(net.node("Concat", *parts, axis=1), 12, 4)), tmp_path)


def test_a_choice_of_places_is_computed(tmp_path):
    """Corners of boxes put in another order, which pnnx takes for the choice of one place."""
    net = networks.Net()
    picked = net.node("Gather", net.conv("image", 3, 4), net.constant(np.array([1, 0, 3, -2])), axis=1)
    check(net.model(picked), tmp_path)


@pytest.mark.parametrize("by", [2, 3])
def test_a_linear_enlargement_from_the_corner_is_computed(tmp_path, by):
    """ncnn has none; pnnx takes it for one from the middle of a pixel."""
    net = networks.Net()
    scales = net.constant(np.array([1, 1, by, 2], np.float32))
    how = {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}
    check(net.model(net.conv(net.node("Resize", net.conv("image", 3, 4), "", scales, **how), 4, 2)), tmp_path)


def test_another_network_is_refused_and_leaves_no_file(tmp_path, monkeypatch):
    other = networks.Net(seed=9)
    wrong = pnnx.read(other.model(other.conv("image", 3, 4)).data)
    convert = pnnx.convert
    monkeypatch.setattr(pnnx, "convert", lambda model, scratch: convert(wrong, scratch))
    net = networks.Net(seed=1)
    with pytest.raises(UnsupportedModel, match="another network"):
        ncnn.build(net.model(net.conv("image", 3, 4)).data, DEVICE, tmp_path)
    assert not list(tmp_path.iterdir())


def test_several_images_at_once_are_refused(tmp_path):
    net = networks.Net()
    model = net.model(net.conv("image", 3, 4), inputs={"image": [2, 3, 16, 16]})
    with pytest.raises(UnsupportedModel, match="batch"):
        ncnn.build(model.data, DEVICE, tmp_path)


def test_files_that_are_none_are_refused(tmp_path):
    artifact = ncnn.build(small_network(), DEVICE, tmp_path)
    artifact.files[0].write_text("no network")
    with pytest.raises(ModelError):
        ncnn.open(artifact)
