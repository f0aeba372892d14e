"""The step `size`: names, sides, and that everything behind it sees images at the new size."""

from __future__ import annotations

import numpy as np
import pytest

from nets import ANY_BOARD, POLICY, SIZE, Net, compressed, images
from paredown._compress.compress import compress
from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Context, Recipe
from paredown._compress.size import Size, at_recipe_size, sides
from paredown.errors import UsageError
from paredown.graph.prepare import prepare
from paredown.model import Model
from paredown.study.trials import label_of


def network(height: int = SIZE, width: int = SIZE) -> Model:
    net = Net()
    x = net.node("Relu", net.conv("image", 3, 8, stride=2))
    flat = net.node("Flatten", net.node("GlobalAveragePool", net.conv(x, 8, 8)))
    return prepare(
        net.model(net.node("Gemm", flat, net.normal(8, 5)), inputs={"image": [1, 3, height, width]})
    )


def test_its_name_parses_back():
    recipe = parse_recipe("size416+int8-minmax")
    assert recipe.steps[0] == Size(416)
    assert parse_recipe(recipe.name) == recipe
    assert label_of(recipe) == "size416+int8-minmax"
    assert label_of(parse_recipe("size416")) == "size416"


def test_a_size_of_nothing_is_refused():
    with pytest.raises(UsageError, match="needs its pixels"):
        parse_recipe("size0")


@pytest.mark.parametrize("name", ["cle+size24", "size24+size32"])
def test_a_recipe_begins_with_its_one_size(name: str):
    with pytest.raises(UsageError, match="begins with its one size"):
        at_recipe_size(network(), parse_recipe(name))


def test_the_shorter_side_keeps_the_ratio_in_strides():
    assert sides(network(320, 544), 416) == (256, 416)
    assert sides(network(544, 320), 416) == (416, 256)
    assert sides(network(64, 64), 40) == (40, 40)


def test_a_recipe_without_a_size_leaves_the_model_alone():
    model = network()
    assert at_recipe_size(model, Recipe()) is model


def test_what_stands_behind_it_is_calibrated_at_the_new_size():
    recipe = parse_recipe("size24+int8-minmax")
    sized = at_recipe_size(network(), recipe)
    assert sized.inputs[0].shape == (1, 3, 24, 24)
    large = [{"image": np.resize(image, (1, 3, 24, 24))} for image in images()]
    made = compress(recipe, Context(sized, lambda: large, ANY_BOARD, POLICY))
    assert made.model.inputs[0].shape == (1, 3, 24, 24)
    assert [r.why for r in made.log if r.step == "size24"] == ["the input is 24 x 24"]
    assert any(r.action == "quantized" for r in made.log)


def test_alone_it_needs_no_images():
    made = compressed(network(), "size24")
    assert made.model.inputs[0].shape == (1, 3, 24, 24)
