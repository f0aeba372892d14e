"""Masks that move while the network learns, by hand; codebooks learned by the sum of their gradients."""

from __future__ import annotations

import numpy as np
import pytest

import nets
from paredown._compress.prune.masks import SparseLayer
from paredown._compress.prune.settings import Sparse
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.graph.walk import to_ir

torch = pytest.importorskip("torch", reason="pip install 'paredown[train]'")

from paredown._compress.prune.surgery import MARGIN, RISE, SETTLED, Sculptor, rise  # noqa: E402
from paredown.graph.executor import Executor, masked  # noqa: E402
from paredown.graph.learnable import learnables, zeros_kept  # noqa: E402


def one_layer(weight: list[float], learning: str, percent: float = 50.0) -> tuple[Executor, Sculptor, str]:
    """A network of one 1x1 convolution with these weights, its masks all one."""
    net = nets.Net()
    x = net.node("GlobalAveragePool", "image")
    name = net.constant(np.array(weight, np.float32).reshape(-1, 3, 1, 1))
    model = prepare(net.model(net.node("Conv", x, name)))
    node = next(n for n in to_ir(model).graph if n.op_type == "Conv")
    pupil = Executor(model, masks={name: np.ones((len(weight) // 3, 3, 1, 1), bool)})
    step = Sparse(percent=percent, learning=learning)
    return pupil, Sculptor(step, (SparseLayer(node, step.share),)), name


def test_the_share_of_zeros_rises_along_a_cubic() -> None:
    """Zhu & Gupta, eq. 1: half way 7/8 of the end."""
    assert [rise(d) for d in (0.0, 0.5, 1.0, 1.5)] == [0.0, 0.875, 1.0, 1.0]


@pytest.mark.parametrize(("learning", "back"), [("surgery", True), ("gradual", False)])
def test_only_surgery_splices(learning: str, back: bool) -> None:
    pupil, sculptor, name = one_layer([1, 2, 3, 4, 5, 6], learning)
    assert sculptor(pupil, 0.0)
    assert pupil.masks[name].all()
    assert sculptor(pupil, RISE)
    assert pupil.masks[name].flatten().tolist() == [0, 0, 0, 1, 1, 1]
    with torch.no_grad():
        pupil.parameters[name][0, 0] = 4 * (1 + MARGIN) + 0.1  # the least kept is 4
    assert sculptor(pupil, RISE + 0.02) is back
    assert pupil.masks[name].flatten().tolist() == ([1, 0, 0, 0, 1, 1] if back else [0, 0, 0, 1, 1, 1])
    assert sculptor.spliced == int(back)


def test_between_the_thresholds_a_mask_stays_as_it_is() -> None:
    pupil, sculptor, name = one_layer([1, 2, 3, 4, 5, 6], "surgery")
    sculptor(pupil, 0.0)
    sculptor(pupil, RISE)
    with torch.no_grad():
        pupil.parameters[name][0, 0] = 4 * (1 + MARGIN) - 0.1
    assert not sculptor(pupil, RISE + 0.02)


def test_in_the_last_part_masks_are_left_alone() -> None:
    pupil, sculptor, name = one_layer([1, 2, 3, 4, 5, 6], "surgery")
    assert not sculptor(pupil, SETTLED + 0.01)
    assert pupil.masks[name].all()


def test_a_masked_weight_goes_on_learning() -> None:
    """Guo et al., eq. 3: the gradient of W is that of W T, where T is 0 too."""
    weight = torch.tensor([2.0, 3.0], requires_grad=True)
    out = masked(weight, torch.tensor([1.0, 0.0]))
    assert out.tolist() == [2.0, 0.0]
    (out * torch.tensor([5.0, 7.0])).sum().backward()
    assert weight.grad.tolist() == [5.0, 7.0]


def test_a_value_of_a_codebook_learns_from_all_weights_that_share_it() -> None:
    """Han et al. 2016, eq. 3, against the gradient of the weights themselves, summed by hand."""
    source = prepare(nets.residual())
    shared = nets.compressed(source, "sparse50+cluster-k4").model
    table = next(
        n for n, item in learnables(to_ir(shared).graph).items() if item.start.ndim == 1 and "table" in n
    )
    graph = {n.output[0]: n for n in to_proto(shared).graph.node}
    gather = next(n for n in graph.values() if n.op_type == "Gather" and n.input[0] == table)
    book, index = Executor(shared), Executor(shared, [gather.output[0]])
    image = torch.from_numpy(nets.images(1)[0])
    weight = index.run({"image": image})[gather.output[0]]
    book.run({"image": image})[source.outputs[0].name].square().sum().backward()
    gradient = book.parameters[table].grad
    moved = []
    for k, value in enumerate(book.parameters[table].detach()):
        many = (weight.detach() == value).sum()
        other = Executor(shared)
        with torch.no_grad():
            other.parameters[table][k] += 1e-3
            up = other.run({"image": image})[source.outputs[0].name].square().sum()
            other.parameters[table][k] -= 2e-3
            down = other.run({"image": image})[source.outputs[0].name].square().sum()
        assert many > 0
        moved.append(float(up - down) / 2e-3)
    np.testing.assert_allclose(gradient.numpy(), moved, rtol=0.02, atol=0.02 * float(gradient.abs().max()))


def test_zero_stays_a_value_of_the_table() -> None:
    source = prepare(nets.residual())
    made = nets.compressed(source, "sparse50+cluster-k8+distill-steps20", threads=1)
    before = nets.compressed(source, "sparse50+cluster-k8", threads=1)
    masks = zeros_kept(learnables(to_ir(made.model).graph), {})
    tables = [n for n in masks if "table" in n]
    assert tables
    for name in tables:
        assert (~masks[name]).sum() == 1
    assert any(r.action == "note" and "brought to" in r.why for r in made.log)

    def error(model: object) -> float:
        pairs = [(nets.run(source, i)[0], nets.run(model, i)[0]) for i in nets.images(4, seed=3)]
        return float(np.mean([nets.agreement(*p) for p in pairs]))

    assert error(made.model) < error(before.model)
