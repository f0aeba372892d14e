"""The runtime ncnn: what pnnx makes of a model answers as the model does, or is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paredown._compress.compress import compress
from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Context
from paredown.errors import MissingDependency, ModelError, TargetError, UnsupportedModel
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


def test_a_linear_enlargement_with_corners_over_corners_is_computed(tmp_path):
    """ncnn has a switch for it, which pnnx does not set."""
    net = networks.Net()
    scales = net.constant(np.array([1, 1, 2, 3], np.float32))
    how = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
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


def test_bfloat16_is_computed_where_it_is_asked_for(tmp_path):
    """Near float32, and not float32 without a word; the file tells whoever opens it."""
    net = networks.Net()
    model = net.model(net.conv(net.node("Relu", net.conv("image", 3, 16)), 16, 4))
    feeds = random_feeds(model, seed=3)
    (want,) = run_once(model.data, feeds).values()
    artifact = ncnn.build(model.data, DEVICE, tmp_path, "bfloat16")
    (found,) = ncnn.open(artifact, threads=1).run(feeds).values()
    apart = np.abs(found - want).max() / np.ptp(want)
    assert 1e-4 < apart < 2e-2


def test_weights_that_a_recipe_rounded_to_float16_are_stored_in_it(tmp_path):
    model = networks.residual()
    context = Context(model, networks.feeds, DEVICE, ncnn.policy(DEVICE))
    made = compress(parse_recipe("fp16"), context).model
    found, whole = (ncnn.build(m.data, DEVICE, tmp_path).files[1].stat().st_size for m in (made, model))
    assert found < 0.6 * whole
    check(made, tmp_path)
    with pytest.raises(TargetError, match="does not compute in that here"):
        ncnn.build(model.data, DEVICE, tmp_path, "float16")
    assert "float16" in ncnn.policy(replace(DEVICE, arch="aarch64")).computed


def test_a_choice_of_the_best_is_named_for_ncnn_cannot_sort(tmp_path):
    net = networks.Net()
    rows = net.constant(np.zeros((1, 4, 2, 16), np.int64))
    best = net.node("GatherElements", net.conv("image", 3, 4), rows, axis=2)
    with pytest.raises(UnsupportedModel, match="no layer for GatherElements"):
        ncnn.build(net.model(best).data, DEVICE, tmp_path)


def test_without_the_program_that_makes_its_files_it_is_not_installed(monkeypatch) -> None:
    monkeypatch.setattr(ncnn, "find_spec", lambda _: None)
    with pytest.raises(MissingDependency, match="hint: pip install --no-deps pnnx"):
        ncnn.version()
    monkeypatch.setattr(ncnn.metadata, "version", _absent)
    with pytest.raises(MissingDependency, match=r"hint: pip install 'paredown\[ncnn\]' && pip install --no"):
        ncnn.version()


def _absent(name: str) -> str:
    raise ncnn.metadata.PackageNotFoundError(name)
