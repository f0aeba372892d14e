"""The bits that a file's weights use, written into its metadata."""

from __future__ import annotations

from dataclasses import replace

import pytest

import nets
from paredown._compress.compress import WEIGHT_BITS_KEY
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare

SATURATING = replace(nets.ANY_BOARD, saturates=True)


@pytest.mark.parametrize("recipe", ["w8a8-pc-mse", "dynamic"])
def test_seven_bits_for_a_cpu_that_saturates_eight_for_others(recipe: str) -> None:
    model = prepare(nets.residual())
    assert nets.compressed(model, recipe).model.metadata[WEIGHT_BITS_KEY] == "8"
    assert nets.compressed(model, recipe, device=SATURATING).model.metadata[WEIGHT_BITS_KEY] == "7"


def test_the_stock_quantizer_gives_eight_bits_whatever_the_cpu() -> None:
    model = prepare(nets.residual())
    made = nets.compressed(model, "ort-static", device=SATURATING).model
    assert made.metadata[WEIGHT_BITS_KEY] == "8"
    reduced = nets.compressed(model, "ort-static-pt-minmax-rr", device=SATURATING).model
    assert reduced.metadata[WEIGHT_BITS_KEY] == "7"


@pytest.mark.parametrize("recipe", ["int8-weights", "ort-dynamic"])
def test_none_where_no_product_has_int8_weights(recipe: str) -> None:
    assert WEIGHT_BITS_KEY not in nets.compressed(prepare(nets.residual()), recipe).model.metadata


@pytest.mark.parametrize(
    ("recipe", "bits"), [("w8a8-pc-mse+cluster", "8"), ("w4a8-pc-mse-all+pack", "7"), ("cluster", None)]
)
def test_integers_in_a_table_count(recipe: str, bits: str | None) -> None:
    made = nets.compressed(prepare(nets.classifier()), recipe).model
    gathers = [n for n in to_proto(made).graph.node if n.op_type == "Gather"]
    assert gathers
    assert made.metadata.get(WEIGHT_BITS_KEY) == bits
