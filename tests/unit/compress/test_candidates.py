"""Which candidate a number of a head belongs to, and how sure the teacher is of it; small cases by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import nets
from paredown.graph.prepare import prepare
from paredown.graph.walk import to_ir
from paredown.model import Model

torch = pytest.importorskip("torch", reason="pip install 'paredown[train]'")

from paredown._compress.finetune.candidates import objectness  # noqa: E402
from paredown._compress.finetune.distillation_loss import make_objective  # noqa: E402
from paredown._compress.finetune.taps import find_taps  # noqa: E402
from paredown.graph.executor import Executor  # noqa: E402

ANCHORS, NUMBERS, CELLS = 2, 4 + 1 + 3, 64


def anchored() -> Model:
    """One convolution answers for two anchors: 4 coordinates, objectness, 3 classes each, all in sigmoids."""
    net = nets.Net()
    x = net.silu(net.conv("image", 3, 8, stride=2))
    bias = np.tile(np.array([0] * 4 + [-6.0] + [-2.0] * 3, np.float32), ANCHORS)
    head = net.node("Conv", x, net.normal(len(bias), 8, 1, 1, spread=0.1), net.constant(bias))
    parted = net.reshape(head, 1, ANCHORS, NUMBERS, CELLS)
    last = net.node("Sigmoid", net.node("Transpose", parted, perm=[0, 1, 3, 2]))
    parts = net.node("Split", last, net.constant(np.array([4, 4])), axis=3, outputs=2)
    pixels = net.node("Mul", parts, net.constant(np.array(16, np.float32)))
    return prepare(net.model(net.reshape(net.node("Concat", pixels, f"{parts}_1", axis=3), 1, -1, NUMBERS)))


def test_rows_and_channels_of_anchors_in_one_convolution() -> None:
    model = anchored()
    seen = find_taps(to_ir(model).graph)
    teacher = Executor(model, [*seen.heads, *seen.features, *seen.answers])
    objective = make_objective(teacher, seen, [{"image": torch.from_numpy(i)} for i in nets.images(2)])
    (rows,), (head,) = objective.rows, seen.heads
    cells = torch.arange(CELLS)
    for anchor in range(ANCHORS):
        for k in range(NUMBERS):
            at = anchor * NUMBERS + k
            assert rows.row[head][at].tolist() == (anchor * CELLS + cells).tolist()
            assert set(rows.channel[head][at].tolist()) == {k}
    assert rows.scores == (4, 5, 6, 7)
    assert objective.score[head].tolist() == ([False] * 4 + [True] * 4) * ANCHORS


def test_an_object_weighs_its_own_anchor_alone() -> None:
    model = anchored()
    seen = find_taps(to_ir(model).graph)
    teacher = Executor(model, [*seen.heads, *seen.features, *seen.answers])
    image = torch.from_numpy(nets.images(1)[0])
    objective = make_objective(teacher, seen, [{"image": image}])
    objective.rows = [replace(objective.rows[0], objectness=4)]  # random weights show no object to tell it by
    tail, (head,) = Executor(model, seen.answers, given=seen.heads), seen.heads
    with torch.no_grad():
        truth = dict(teacher.run({"image": image}))
        truth[head][0, 4:6, 2, 3] = 5.0  # the first anchor: an object of the first class
        truth[head][0, NUMBERS + 5, 2, 3] = 5.0  # the second: a class without an object
        truth |= tail.run({head: truth[head]})
    errors = []
    for anchor in range(ANCHORS):
        answer = dict(truth) | {head: truth[head].clone()}
        answer[head][0, anchor * NUMBERS, 2, 3] += 1.0
        errors.append(float(objective.parts(truth, answer)["boxes"]))
    assert errors[0] > 20 * errors[1] > 0


def test_an_objectness_is_high_beside_whichever_class_is() -> None:
    rows = torch.zeros(30, 4)
    rows[:, 1:] = 0.01
    for i in range(12):
        rows[i, 0], rows[i, 1 + i % 3] = 0.9, 0.8
    rows[20:, 2] = 0.7  # a class without an object
    assert objectness(rows) == 0
    assert objectness(rows[:, 1:]) is None
    assert objectness(rows[:, :1]) is None
