"""A graph run in pieces: the same tensors as in one go, with the constants as they are by then."""

from __future__ import annotations

import numpy as np
import pytest

import nets
from paredown._compress.draft import Draft
from paredown._compress.layerwise.im2col import MatmulLayer
from paredown._compress.layerwise.reconstruction import layers_of
from paredown._compress.layerwise.run import LayerwiseRun
from paredown._compress.quantize.static import Static, apply
from paredown._compress.quantize.writing.qdq import replace_constant
from paredown._compress.recipe import Context
from paredown.graph.prepare import prepare
from paredown.graph.run import open_session
from paredown.graph.walk import constant, to_ir, to_model
from paredown.model import Model


def quantized(name: str) -> tuple[Model, list[MatmulLayer]]:
    model = prepare(nets.NETS[name]())
    draft = Draft(to_ir(model))
    apply(Static(), draft, Context(model, nets.feeds, nets.ANY_BOARD, nets.POLICY))
    return to_model(draft.model, model), layers_of(draft, "")[0]


@pytest.mark.parametrize("name", ["detector", "depthwise", "residual"])
def test_in_pieces_as_in_one_go(name: str) -> None:
    model, layers = quantized(name)
    asked = [layer.quantized for layer in layers]
    images = nets.feeds(2, seed=4)
    run = LayerwiseRun(to_ir(model), asked, images)
    graph = to_ir(model)
    tensors = {str(v.name): v for node in graph.graph for v in node.outputs}
    graph.graph.outputs.extend([tensors[name] for name in dict.fromkeys(asked)])
    session = open_session(to_model(graph, model).data)
    for tensor in asked:
        for got, image in zip(run.to(tensor), images, strict=True):
            (want,) = session.run([tensor], image)
            assert got.dtype == want.dtype == np.uint8
            assert np.abs(got.astype(int) - want).max() <= 1  # kernels fuse otherwise, and round otherwise


def test_between_two_pieces_integers_are_held() -> None:
    """What is added later, past the layer that is asked for, is held as integers and not as floats."""
    model, layers = quantized("residual")
    run = LayerwiseRun(to_ir(model), [layer.quantized for layer in layers], nets.feeds(1))
    held = []
    for layer in layers:
        run.to(layer.quantized)
        held.append({t: x.dtype for t, x in run.states[0].items()})
    assert any(len(state) > 1 for state in held)
    assert all(dtype == np.uint8 for state in held for dtype in state.values())


@pytest.mark.parametrize("again", [False, True])
def test_a_tensor_is_held_until_it_was_asked_for_as_often_as_said(again: bool) -> None:
    """Two heads on one tensor, a layer that nothing asked for depends on between them: SSD does so."""
    net = nets.Net()
    first = net.node("Relu", net.conv("image", 3, 4))
    second = net.node("Relu", net.conv(first, 4, 4))
    graph = to_ir(net.model(net.conv(first, 4, 2), net.conv(second, 4, 2)))
    asked = [first, second, first] if again else [second, first]
    run = LayerwiseRun(graph, asked, nets.feeds(2))
    found = [run.to(tensor) for tensor in asked]
    assert all(len(images) == 2 and all(x.shape == (1, 4, 16, 16) for x in images) for images in found)


def test_a_change_ahead_counts() -> None:
    model, layers = quantized("detector")
    graph = to_ir(model)
    asked = [layer.quantized for layer in layers]
    plain, changed = (
        LayerwiseRun(to_ir(model), asked, nets.feeds(1)),
        LayerwiseRun(graph, asked, nets.feeds(1)),
    )
    assert np.array_equal(plain.to(asked[0])[0], changed.to(asked[0])[0])
    stored = next(n for n in graph.graph if n.name == layers[0].weight.name).inputs[0]
    assert stored is not None
    replace_constant(stored, np.zeros_like(np.asarray(constant(stored))))
    assert not np.array_equal(plain.to(asked[1])[0], changed.to(asked[1])[0])


def test_images_are_read_when_they_are_needed() -> None:
    model, layers = quantized("detector")
    waiting = iter(nets.feeds(3))
    run = LayerwiseRun(to_ir(model), [layers[0].quantized], waiting)
    assert len(list(waiting)) == 3
    assert run.to(layers[0].quantized) == []
