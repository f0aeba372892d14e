"""Layers fitted again, from the front, to what they answered before channels were removed.

With X the patches that a convolution reads in the pruned graph as it is by now and Y what it answered at the
same places before (centred, so that the bias takes the means),

    W' = argmin ||Y - X W'||^2 + lambda ||W' - W||^2 = W + (X^T X + lambda)^-1 X^T (Y - X W)

Errors of the layers in front are seen by those behind, which take a part of them back. Where a layer's answer
is added to what came before (a residual block), Y is the sum before less what is added now: so errors of the
residual stream are taken back too.

Source: He et al. 2017, arXiv 1707.06168, section 3.1 (reconstruction by least squares, the layers in front
pruned already) and section 3.3 (residual branches).
Differs from the source: the weights as they are (shrink.py) are what the fit is drawn to, not zero; one pass
over all layers after everything is removed; lambda is what does best on other images.

Shapes: n sampled places, G groups, K values in a patch, O answers of a group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.layerwise.run import LayerwiseRun
from paredown._compress.prune.shrink import replace_input
from paredown._compress.recipe import Context
from paredown.graph.moves import Ids
from paredown.graph.taps import Tap, Tapped
from paredown.graph.walk import attribute, constant, consumers, shape_of
from paredown.model import Model
from paredown.protocols import Feeds

IMAGES = 32  # of the calibration images: what they hold between two layers stays in memory
MOST = 8192  # places of one layer over all images
TRUSTED = 0.75  # of the places are fitted to
DAMPINGS = (0.01, 0.1, 1.0, 10.0, 100.0)  # lambda, in means of X^T X's diagonal

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Fit:
    """One convolution to fit. goal: the tensor that says what it should answer; added: what is added to it
    to make the goal, "" for nothing. rows, columns: (n,) places of its answer."""

    node: ir.Node
    goal: str
    added: str
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


def refit(model: ir.Model, before: Model, left: Mapping[str, Ids], context: Context) -> dict[str, float]:
    """The share of each layer's squared error that is left, by node name; the graph gets the new weights.

    before: the model as it was. left: tensor -> which of its channels the graph still has.
    """
    images = list(islice(context.images(), IMAGES))
    fits = _fits(model.graph, len(images), np.random.default_rng(context.seed))
    wanted = _drawn(before, fits, left, images, context)
    asked = [name for fit in fits for name in (_name(fit.node.inputs[0]), fit.added) if name]
    run = LayerwiseRun(model, asked, images, context.threads)
    found = {}
    for i, fit in enumerate(context.progress(fits, "fitting layers", len(fits))):
        x = np.concatenate([_patches(fit, image) for image in run.to(_name(fit.node.inputs[0]))])
        y = wanted[i]
        if fit.added:
            y = y - np.concatenate([_at(fit, a) for a in run.to(fit.added)])
        found[str(fit.node.name)] = _solve(model.graph, fit.node, x, y.astype(np.float64))
    return found


def _fits(graph: ir.Graph, images: int, rng: np.random.Generator) -> list[_Fit]:
    """The convolutions with more places to see than values in a patch."""
    order = {node: i for i, node in enumerate(graph)}
    fits = []
    for node in order:
        weight = node.inputs[1] if node.op_type == "Conv" and len(shape_of(node.outputs[0])) == 4 else None
        if weight is None or constant(weight) is None or attribute(node, "auto_pad", "NOTSET") != "NOTSET":
            continue
        height, width = shape_of(node.outputs[0])[2:]
        places = np.sort(rng.permutation(height * width)[: max(MOST // max(images, 1), 1)])
        if len(places) * images < 2 * int(np.prod(shape_of(weight)[1:])):
            continue
        goal, added = _goal(node, order)
        fits.append(_Fit(node, goal, added, places // width, places % width))
    return fits


def _goal(node: ir.Node, order: Mapping[ir.Node, int]) -> tuple[str, str]:
    """The sum that the answer goes into, and its other side, where that is known by then."""
    answer = node.outputs[0]
    readers = consumers(answer)
    if len(readers) == 1 and readers[0].op_type == "Add" and not answer.is_graph_output():
        other = next((v for v in readers[0].inputs if v is not answer), None)
        producer = None if other is None else other.producer()
        total = readers[0].outputs[0]
        same = other is not None and shape_of(other) == shape_of(answer) == shape_of(total)
        if same and producer is not None and order[producer] < order[node]:
            return _name(total), _name(other)
    return _name(answer), ""


def _name(value: ir.Value | None) -> str:
    return "" if value is None else str(value.name)


def _drawn(
    model: Model,
    fits: Sequence[_Fit],
    left: Mapping[str, Ids],
    images: Sequence[Feeds],
    context: Context,
) -> list[NDArray[np.float32]]:
    """What every goal was at its places, (n, G O), in the channels that are left."""
    tapped = Tapped(model, [_tap(fit, left) for fit in fits], context.threads)
    for _ in tapped.passing(context.progress(images, "running the whole network", len(images))):
        pass
    return [np.concatenate(values) for values in tapped.kept]


def _tap(fit: _Fit, left: Mapping[str, Ids]) -> Tap:
    """The goal at the places, (places, C), C the channels that are left."""
    _, channels, height, width = shape_of(fit.node.outputs[0])
    places = fit.rows * width + fit.columns
    kept = left.get(fit.goal, np.arange(channels))
    return Tap(fit.goal, places[:, None] + kept * (height * width))


def _at(fit: _Fit, x: NDArray[np.generic]) -> NDArray[np.float32]:
    """The values at the places, (places, C)."""
    return np.asarray(x[0][:, fit.rows, fit.columns].T, np.float32)


def _patches(fit: _Fit, x: NDArray[np.generic]) -> NDArray[np.float32]:
    """(places, G, K) of one image."""
    node, kernel = fit.node, shape_of(fit.node.inputs[1])[2:]  # type: ignore[arg-type]
    strides, dilations = attribute(node, "strides", [1, 1]), attribute(node, "dilations", [1, 1])
    top, left, bottom, right = attribute(node, "pads", [0, 0, 0, 0])
    padded = np.pad(x[0].astype(np.float32), ((0, 0), (top, bottom), (left, right)))
    y, z = (
        place[:, None] * stride + dilation * np.arange(k)
        for place, stride, dilation, k in zip(
            (fit.rows, fit.columns), strides, dilations, kernel, strict=True
        )
    )
    taken = padded[:, y[:, :, None], z[:, None, :]]  # (C, places, kh, kw)
    return np.ascontiguousarray(taken.transpose(1, 0, 2, 3)).reshape(len(y), attribute(node, "group", 1), -1)


def _solve(graph: ir.Graph, node: ir.Node, x: NDArray[np.float32], y: Floats) -> float:
    """Gives the layer its new weights. x: (n, G, K), y: (n, G O). Gives the share of the error left.

    The last quarter of the places, of other images, says how much to trust the rest.
    """
    weight = np.asarray(constant(node.inputs[1]), np.float64)
    group, depth = x.shape[1:]
    rows = weight.reshape(group, -1, depth)
    before = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    bias = np.zeros(rows.shape[:2]) if before is None else before.astype(np.float64).reshape(rows.shape[:2])
    y = y.reshape(len(y), group, -1)
    seen = round(TRUSTED * len(x))
    errors = np.zeros(2)
    for g in range(group):
        missing = y[:, g] - x[:, g] @ rows[g].T - bias[g]  # (n, O)
        step, shift = _ridge(x[:seen, g].astype(np.float64), missing[:seen], x[seen:, g], missing[seen:])
        rows[g] += step
        bias[g] += shift
        errors += [np.square(missing).sum(), np.square(missing - x[:, g] @ step.T - shift).sum()]
    replace_input(graph, node, 1, rows.reshape(weight.shape).astype(np.float32))
    replace_input(graph, node, 2, bias.ravel().astype(np.float32))
    return float(errors[1] / errors[0]) if errors[0] > 0 else 1.0


def _ridge(x: Floats, y: Floats, x_other: NDArray[np.float32], y_other: Floats) -> tuple[Floats, Floats]:
    """W' - W (O, K) and b' - b (O,) that do best on the other places; zero where nothing does better.

    x: (n, K), y: (n, O) what is missing.
    """
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    x, y = x - mean_x, y - mean_y
    values, vectors = np.linalg.eigh(x.T @ x)
    product = (y.T @ x) @ vectors  # (O, K)
    scale = max(float(values.mean()), 1e-12)
    best = (float(np.square(y_other).sum()), np.zeros_like(product), np.zeros_like(mean_y))
    for damping in DAMPINGS:
        step = (product / (np.maximum(values, 0) + damping * scale)) @ vectors.T
        shift = mean_y - step @ mean_x
        error = float(np.square(y_other - x_other @ step.T - shift).sum())
        best = min(best, (error, step, shift), key=lambda found: found[0])
    return best[1], best[2]
