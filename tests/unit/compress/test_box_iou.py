"""Boxes behind the decode tail: which columns hold them, IoU by hand, what moves them."""

from __future__ import annotations

import numpy as np
import pytest

import nets
from paredown.graph.prepare import prepare
from paredown.graph.walk import to_ir
from paredown.model import Model

torch = pytest.importorskip("torch", reason="pip install 'paredown[train]'")

from paredown._compress.finetune.box_iou import as_corners, box_iou  # noqa: E402
from paredown._compress.finetune.distillation_loss import Objective, make_objective  # noqa: E402
from paredown._compress.finetune.taps import find_taps  # noqa: E402
from paredown.graph.executor import Executor  # noqa: E402

CELLS, CLASSES, STRIDE = 64, 3, 2.0


def located(corners: bool = False, moved: bool = True) -> Model:
    """Boxes around the cells of a grid of 8 x 8: centres by an offset, sizes by an exponential; classes."""
    net = nets.Net()
    x = net.silu(net.conv("image", 3, 8, stride=2))
    bias = np.array([0, 0, 0, 0] + [-3.0] * CLASSES, np.float32)
    head = net.node("Conv", x, net.normal(len(bias), 8, 1, 1, spread=0.3), net.constant(bias))
    flat = net.reshape(head, 1, len(bias), CELLS)
    sizes = net.constant(np.array([2, 2, CLASSES], np.int64))
    centre = net.node("Split", flat, sizes, axis=1, outputs=3)
    grid = np.stack(np.meshgrid(np.arange(8), np.arange(8)), 0).reshape(1, 2, CELLS).astype(np.float32)
    middle = net.node("Add", centre, net.constant(grid)) if moved else centre
    middle = net.node("Mul", middle, net.constant(np.float32(STRIDE)))
    half = net.node("Exp", f"{centre}_1")
    if corners:
        box = [net.node("Sub", middle, half), net.node("Add", middle, half)]
    else:
        box = [middle, net.node("Mul", half, net.constant(np.float32(2)))]
    return prepare(net.model(net.node("Concat", *box, net.node("Sigmoid", f"{centre}_2"), axis=1)))


def objective_of(model: Model) -> tuple[Objective, Executor]:
    seen = find_taps(to_ir(model).graph)
    teacher = Executor(model, [*seen.heads, *seen.features, *seen.answers])
    return make_objective(teacher, seen, [{"image": torch.from_numpy(i)} for i in nets.images(3)]), teacher


@pytest.mark.parametrize("corners", [False, True])
def test_the_columns_of_boxes_are_found(corners: bool) -> None:
    (places,) = objective_of(located(corners))[0].places
    assert (places.columns, places.corners) == ((0, 1, 2, 3), corners)


def test_numbers_that_lie_around_no_place_are_no_boxes() -> None:
    assert not objective_of(located(moved=False))[0].places


def test_intersection_over_union_by_hand() -> None:
    a = as_corners(torch.tensor([[1.0, 1, 2, 2], [1, 1, 2, 2], [0, 0, 1, 1]]), corners=False)
    b = torch.tensor([[1.0, 0, 3, 2], [0, 0, 2, 2], [5, 5, 6, 6]])
    np.testing.assert_allclose(box_iou(a, b).numpy(), [1 / 3, 1, 0], atol=1e-6)


def test_a_box_that_moves_counts_as_much_as_the_teacher_is_sure() -> None:
    """Two images in a batch, one candidate in each is half sure; the second one's box is half a box aside."""
    objective, teacher = objective_of(located())
    (places,), (head,) = objective.places, objective.taps.heads
    with torch.no_grad():
        made = [teacher.run({"image": torch.from_numpy(image)}) for image in nets.images(2)]
        truth = {name: torch.cat([one[name] for one in made]) for name in teacher.outputs}
        truth[head][:] = torch.tensor([0.0] * 4 + [-30.0] * CLASSES).reshape(-1, 1, 1)  # boxes of 2 x 2
        truth[head][:, 4, 2, 3] = 0
        tails = [places.tail.run({head: one[None]}) for one in truth[head]]
        truth |= {name: torch.cat([one[name] for one in tails]) for name in tails[0]}
    moved = truth[head].clone()
    moved[1, 0, 2, 3] = 0.5  # of a stride, which is half of the box
    error = objective.parts(truth, truth | {head: moved.requires_grad_()})["places"]
    assert float(error.detach()) == pytest.approx((1 - 1 / 3) / 2, abs=1e-3)
    (slope,) = torch.autograd.grad(error, moved)
    assert slope[1, 0, 2, 3] > 0
    elsewhere = slope[1, :4].clone()
    elsewhere[:, 2, 3] = 0
    assert float(elsewhere.abs().max()) < 1e-6 * float(slope[1, 0, 2, 3])


def test_an_image_without_anything_is_no_error() -> None:
    objective, teacher = objective_of(located())
    (places,) = objective.places
    with torch.no_grad():
        truth = teacher.run({"image": torch.from_numpy(nets.images(1)[0])})
    nothing = {name: truth[name] * 0 for name in places.rows.answers}
    error, weight = places.error(truth | nothing, truth)
    assert float(error) == 0
    assert float(weight) > 0
