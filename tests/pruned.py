"""Two ways to take channels out of a network that must answer alike: columns set to zero, tensors made
smaller."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from paredown._compress.prune.choose import choose
from paredown._compress.prune.l1 import by_weights
from paredown._compress.prune.shrink import shrink
from paredown.graph.load import to_proto
from paredown.graph.removal import removable
from paredown.graph.run import open_session, random_feeds
from paredown.graph.walk import to_ir, to_model
from paredown.model import Model

CUT = 0.01  # of yolo26n's scores: 1 of its 300 rows was another one after pruning, 0.4 % above the last
DIGITS = 1e-4  # of the best score: what sums in another order may differ by


def chosen(model: Model, share: float, align: int = 1, seed: int | None = None) -> set[int]:
    """Classes that give up a share of a network's MACs, by weight, or by chance where a seed is given."""
    found = removable(to_ir(model).graph)
    worth = by_weights(found)
    if seed is not None:
        worth = np.random.default_rng(seed).random(len(worth))
    return set(choose(found, worth, share, align).removed)


def zeroed(model: Model, removed: set[int]) -> Model:
    """The network with the columns of the removed classes at zero, nothing taken out."""
    graph = to_ir(model)
    found = removable(graph.graph)
    for operand in found.operands:
        ids = operand.ids[operand.reads] if operand.reads >= 0 else None
        if ids is None:
            continue
        gone = np.isin(found.classes(ids), sorted(removed))
        value = operand.node.inputs[1]
        assert value is not None
        array = value.const_value.numpy().copy()
        np.moveaxis(array, operand.reads, 0)[gone] = 0
        made = ir.Value(name=f"{operand.node.name}_zeroed", const_value=ir.tensor(array))
        made.shape, made.type = value.shape, value.type
        graph.graph.register_initializer(made)
        operand.node.replace_input_with(1, made)
    return to_model(graph, model)


def shrunk(model: Model, removed: set[int]) -> Model:
    """The network without the removed classes; every shape written in it is checked by inference."""
    graph = to_ir(model)
    shrink(removable(graph.graph), removed)
    made = to_model(graph, model)
    proto = to_proto(made)
    onnx.checker.check_model(proto)
    onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=True)
    return made


def difference(a: Model, b: Model) -> float:
    """The largest difference of their answers to one random input, relative to the largest answer."""
    feeds = random_feeds(a, seed=1)
    answers = [open_session(m.data, threads=1).run(None, feeds) for m in (a, b)]
    ranked = any(node.op_type == "TopK" for node in to_proto(a).graph.node)
    worst = 0.0
    for x, y in zip(*answers, strict=True):
        assert x.shape == y.shape
        worst = max(worst, apart(x, y, ranked) / max(float(np.abs(x).max(initial=0)), 1e-6))
    return worst


def apart(got: np.ndarray, want: np.ndarray, ranked: bool) -> float:
    """The largest difference; of rows that a TopK ranked, in whatever order: last digits decide near ties.

    Rows whose score lies within CUT of the last one's (or DIGITS of the best) may be others: last digits
    decide who is among them.
    """
    if not (ranked and got.ndim == 3):
        return float(np.abs(got - want).max(initial=0))
    score = _ranked_by(got[0])
    near = max(CUT * float(np.abs(want[0, -1, score])), DIGITS * float(np.abs(want[0, :, score]).max()))
    assert np.abs(got[0, :, score] - want[0, :, score]).max() <= near
    between = np.abs(got[0][:, None] - want[0][None]).max(axis=2)  # of every row to every other
    sure = [rows[0, :, score] > rows[0, -1, score] + near for rows in (got, want)]
    pairs = (between.min(axis=1)[sure[0]], between.min(axis=0)[sure[1]])
    return float(max(p.max(initial=0) for p in pairs))


def _ranked_by(rows: np.ndarray) -> int:
    """The column (K of (n, K)) that falls from row to row: the score that a TopK ranked them by."""
    (falling,) = np.flatnonzero((np.diff(rows, axis=0) <= 0).all(axis=0))
    return int(falling)
