"""Graphs drawn at random from the habits of exporters: compressed right or refused with the reason."""

from __future__ import annotations

import numpy as np
import pytest

import nets
from odd_graphs import odd_graph
from paredown.errors import ParedownError
from paredown.graph.prepare import prepare

RECIPES = ("w8a8-pc-minmax", "int8-dynamic", "w8", "prune30-l1")
FAR = 1.0  # of an output's spread; random graphs of six odd nodes may be that sensitive
SEEDS = (*range(20), 299)  # 320 were run by hand; 299: pruning beside an empty output


@pytest.mark.parametrize("seed", SEEDS)
def test_right_or_refused(seed: int) -> None:
    model, habits = odd_graph(seed)
    recipe, image = RECIPES[seed % len(RECIPES)], nets.images(1)[0]
    want = nets.run(model, image)
    try:
        made = nets.compressed(prepare(model), recipe).model
    except ParedownError as error:
        refusal = error
    else:
        refusal = None
    if refusal is not None:
        assert refusal.got is not None, habits  # it says what stood in the way
        return
    assert [s.name for s in made.inputs] == [s.name for s in model.inputs]
    assert [s.name for s in made.outputs] == [s.name for s in model.outputs]
    for before, after in zip(want, nets.run(made, image), strict=True):
        assert (before.shape, before.dtype) == (after.shape, after.dtype), habits
        if before.dtype.kind == "f" and before.size > 8 and not recipe.startswith("prune"):
            assert np.isfinite(after).all(), habits
            assert nets.agreement(before, after) < FAR, habits
