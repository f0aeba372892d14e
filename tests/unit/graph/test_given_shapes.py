"""--input: open shapes are said, a fixed batch becomes one, what does not fit is refused."""

from __future__ import annotations

import numpy as np
import pytest

import nets
from paredown.errors import UnknownName, UsageError
from paredown.graph.given_shapes import with_shapes
from paredown.graph.image_input import batched, image_inputs
from paredown.graph.prepare import frozen_sizes, prepare
from paredown.model import Model, TensorSpec


def two_inputs(image: list[object], state: list[object]) -> Model:
    net = nets.Net()
    x = net.node("Relu", net.conv("image", 3, 4))
    y = net.node("Concat", x, "state", axis=1)
    return net.model(net.conv(y, 8, 4), inputs={"image": image, "state": state})


def test_open_shapes_are_said() -> None:
    model = two_inputs(["n", 3, "h", "w"], ["n", 4, "a", "b"])
    said = with_shapes(model, ["1x3x24x32", "state=1x4x24x32"])
    assert [s.shape for s in said.inputs] == [(1, 3, 24, 32), (1, 4, 24, 32)]
    ready = prepare(said)
    assert ready.outputs[0].shape == (1, 4, 24, 32)
    assert "as --input says, 'image' is 1x3x24x32" in frozen_sizes(said, ready)
    assert with_shapes(model, []) is model


def test_a_batch_that_an_export_wrote_down_becomes_one() -> None:
    net = nets.Net()
    x = net.node("Relu", net.conv("image", 3, 4))
    shape = net.constant(np.array([8, 4, 256], np.int64))
    model = net.model(net.node("Reshape", x, shape), inputs={"image": [8, 3, 16, 16]})
    alone = with_shapes(model, ["1x3x16x16"])
    image = nets.images(1)[0]
    (want,) = nets.run(model, np.repeat(image, 8, axis=0))
    (got,) = nets.run(prepare(alone), image)
    np.testing.assert_allclose(got, want[:1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("text", ["1x4x16x16", "1x3x16", "1x3x0x16", "640", "image=", "image=1x3xHxW", ""])
def test_what_fits_no_input_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        with_shapes(two_inputs([1, 3, 16, 16], [1, 4, 16, 16]), [text])
    assert caught.value.expected


def test_an_input_that_is_not_there() -> None:
    with pytest.raises(UnknownName, match="stat"):
        with_shapes(two_inputs([1, 3, 16, 16], [1, 4, 16, 16]), ["stat=1x4x16x16"])


def spec(name: str, *shape: int | None, dtype: str = "float32") -> TensorSpec:
    return TensorSpec(name, shape, dtype)


def test_which_input_looks_like_the_image() -> None:
    image, mask, three = spec("i", 1, 3, 64, 64), spec("m", 1, 1, 128, 128), spec("t", 1, 3, 1, 1)
    assert image_inputs([mask, three, image]) == [image]
    assert image_inputs([mask, spec("s", 1, 2)]) == [mask]
    assert image_inputs([image, spec("j", 1, 64, 64, 3)]) == [image, spec("j", 1, 64, 64, 3)]
    assert image_inputs([image, spec("open", None, 3, None, None)])[0].name == "open"
    assert image_inputs([spec("s", 1, 2), spec("b", 1, 3, 64, 64, dtype="bool")]) == []
    assert batched((3, 64, 64)) == (1, 3, 64, 64)
    assert batched((1, 64, 64)) == (1, 64, 64)
