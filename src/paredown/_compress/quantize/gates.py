"""Equalization through x sigmoid(x): one channel's range no longer sets the step of all others.

SiLU and hard swish are not homogeneous, so ordinary equalization stops at them. But the sigmoid may be handed
another number than the product. For any diagonal S > 0 of powers of two,

    y = x sigmoid(x),   x = W1 u + b1           becomes    y' = x' sigmoid(S x'),   x' = S^-1 (W1 u + b1)
    W2 y                                                   (W2 S) y'                with y' = S^-1 y

the same function exactly. It costs one more integer product for a tensor, S x', whose constant a uint8 grid
holds exactly; so it is done only where it pays: for bundles of tensors that damage the heads, and that damage
them clearly less once equalized. Depthwise networks with SiLU live from it: their channels differ by orders
of magnitude, and no per-tensor grid fits them.

Source: ours; S is chosen as in cle.py, after Nagel et al. 2019, arXiv 1906.04721, eq. 7, and Xiao et al.
2023, arXiv 2211.10438, eq. 4. Its constants were set by hand on a few models.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.draft import Draft, Ungated
from paredown._compress.quantize.cle import class_factors, freeze_kept, scale_around, weighted_in_body
from paredown._compress.quantize.placement.plan import Plan, place
from paredown._compress.quantize.ranges.calibrate import calibrate_for, completed, rescaled
from paredown._compress.quantize.ranges.choose import activation_params
from paredown._compress.quantize.ranges.outliers import loudness_of
from paredown._compress.quantize.sensitivity.activations import Behind, Switched, by_halves, with_most_objects
from paredown._compress.quantize.sensitivity.guard import heads_of
from paredown._compress.quantize.writing.qdq import add_constant, drop_unused
from paredown._compress.recipe import Context, Step
from paredown.graph.channels import Channels, channel_classes, gated
from paredown.graph.walk import data_inputs, shape_of, to_ir, to_model, weight_of
from paredown.measurement import StepRecord
from paredown.model import Model
from paredown.numerics.quant_params import QuantParams
from paredown.numerics.ranges import Seen
from paredown.protocols import Feeds

LOWEST, HIGHEST = -3, 4  # of the powers of two: a uint8 grid of 128 steps holds a gate's factors exactly
SPREAD = 4.0  # largest over smallest factor, from which a tensor is worth a try
GAIN = 0.8  # the damage must fall below this part of what it was
LEAST = 0.0002  # damage that is not worth a product more


@dataclass(frozen=True)
class Gates(Step):
    """gates: equalize channel ranges through x sigmoid(x), where it lowers the damage at the heads."""

    kind: ClassVar[str] = "gates"
    summary: ClassVar[str] = (
        "equalize channel ranges through SiLU and hard swish, with a factor at the gate, where it pays"
    )


@dataclass(frozen=True)
class _Bundle:
    """Products x sigmoid(x) whose channels are tied together.

    classes: of their channels. tensors: all that hold one of these, and the gates.
    """

    products: tuple[ir.Node, ...]
    classes: frozenset[int]
    tensors: frozenset[str]

    def records(self, step: Gates, action: str, why: str) -> list[StepRecord]:
        """A record for each product; `first` is the same for all of a bundle."""
        data = {"first": str(self.products[0].name)}
        return [StepRecord(step.name, str(node.name), action, why, data) for node in self.products]


def apply(step: Gates, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Factors at gates for the same function; one record for every product with a gate."""
    if context.policy.fused:
        why = f"{context.policy.name} rounds nothing between a convolution and the product behind its gate"
        return (StepRecord(step.name, "", "skipped", why),)
    model = draft.model
    channels = channel_classes(model.graph, through_gates=True)
    nodes = weighted_in_body(model.graph)
    freeze_kept(nodes, channels, context)
    bundles = _bundles(model.graph, channels)
    if not bundles:
        why = "no product of a tensor and its own sigmoid stands between convolutions"
        return (StepRecord(step.name, "", "skipped", why),)
    source = to_model(model, context.source)
    seen = _seen(source, context)
    read = {str(data_inputs(node)[0].name) for node in nodes} & seen.keys() & channels.ids.keys()
    loudness = {tensor: loudness_of(seen[tensor]) for tensor in sorted(read)}
    factors = _powers(class_factors(nodes, channels, loudness), bundles)
    tried = [b for b in bundles if _spread(b, channels, factors) >= SPREAD]
    log = [record for b in bundles if b not in tried for record in b.records(step, "skipped", _ALIKE)]
    if not tried:
        return tuple(log)
    trial, applied = to_ir(source), _only(factors, tried)
    _rewrite(trial.graph, channels, applied)
    before = _gridded(source, seen, context)
    tried_model = to_model(trial, context.source)
    scaled = _seen_scaled(model.graph, seen, channels, applied)
    wanted = sorted(place(trial.graph, context.policy, context.keep_float).group)
    after = _gridded(tried_model, completed(context, tried_model, wanted, scaled), context)
    kept = []
    for bundle, old, new in _damages(tried, before, after, context):
        pays = new is not None and new < GAIN * old
        kept += [bundle] if pays else []
        why = f"noise at the heads of its tensors {old:.2%} of the signal, "
        why += "too little to matter" if new is None else f"with factors {new:.2%}"
        log += bundle.records(step, "changed" if pays else "skipped", why)
    if kept:
        applied = _only(factors, kept)
        scaled = _seen_scaled(model.graph, seen, channels, applied)
        _rewrite(model.graph, channels, applied)
        draft.ungated = Ungated(source, to_model(model, context.source).sha256)
        context.kept.add_calibration(draft.ungated.gated_sha256, scaled)
    return tuple(log)


def without(draft: Draft, source: Model) -> Model | None:
    """The model as it was before factors came to its gates; None where it has none, or was changed since.

    source: the model, serialized.
    """
    ungated = draft.ungated
    return ungated.model if ungated is not None and ungated.gated_sha256 == source.sha256 else None


_ALIKE = "its channels are alike: factors could not help much"


@dataclass(frozen=True)
class _Gridded:
    """A float model with its grids."""

    model: Model
    plan: Plan
    heads: list[str]
    grids: Mapping[str, QuantParams]

    def groups(self, bundle: _Bundle) -> list[str]:
        """The grids of the bundle's tensors."""
        return sorted({self.plan.group[t] for t in bundle.tensors if t in self.plan.group})

    def switched(self, groups: Iterable[str], threads: int) -> Switched:
        return Switched(self.model, self.plan, self.grids, self.heads, threads, sorted(set(groups)))


def _gridded(model: Model, seen: dict[str, Seen], context: Context) -> _Gridded:
    graph = to_ir(model).graph
    plan = place(graph, context.policy, context.keep_float)
    return _Gridded(model, plan, heads_of(plan, graph), activation_params(graph, plan, seen, "mse", True))


def _seen(model: Model, context: Context) -> dict[str, Seen]:
    """What the images leave in every tensor that gets a grid."""
    plan = place(to_ir(model).graph, context.policy, context.keep_float)
    return calibrate_for(context, model, sorted(plan.group))


def _seen_scaled(
    graph: ir.Graph, seen: dict[str, Seen], channels: Channels, factors: NDArray[np.float64]
) -> dict[str, Seen]:
    """What the same images would leave once the factors are in the graph: exact, they are powers of two.

    Tensors that hold scaled channels mixed are left out.
    """
    scaled = rescaled(seen, channels, factors)
    products = [(node, str(x.name)) for node in graph if (x := gated(node)) is not None]
    return scaled | {_gate_name(node): seen[name] for node, name in products if name in seen}


def _damages(
    bundles: list[_Bundle], before: _Gridded, after: _Gridded, context: Context
) -> Iterator[tuple[_Bundle, float, float | None]]:
    """What each bundle's tensors damage without factors and with them; None where that could not pay.

    One image tells: with and without factors damages differ by times.
    """
    images = with_most_objects(before.model, before.heads, context, 1)
    groups = {b: after.groups(b) for b in bundles}
    scaled = after.switched((g for of in groups.values() for g in of), context.threads)
    without = _without_factors(bundles, before, images, context.threads)
    for bundle, alone in context.progress(without.items(), "weighing factors at gates", len(bundles)):
        pays = alone > LEAST
        yield bundle, alone, _damage_of(groups[bundle], scaled, after, images) if pays else None


def _without_factors(
    bundles: list[_Bundle], before: _Gridded, images: Sequence[Feeds], threads: int
) -> dict[_Bundle, float]:
    """What each bundle's tensors damage as they are. Sets that do next to nothing are not taken apart."""
    groups, named = [before.groups(b) for b in bundles], {str(i): i for i in range(len(bundles))}
    plain = before.switched((g for of in groups for g in of), threads)
    behind = Behind(plain, plain.groups, images, before.grids)

    def together(names: Sequence[str]) -> float:
        on = sorted({g for name in names for g in groups[named[name]]})
        return float(behind.damage(images, on, before.grids)[0])

    return {bundles[named[name]]: alone for name, alone in by_halves(list(named), together, LEAST).items()}


def _damage_of(groups: list[str], switched: Switched, of: _Gridded, images: Sequence[Feeds]) -> float:
    """Of these groups alone; the session that tells it is closed behind it."""
    return float(Behind(switched, groups, images, of.grids).damage(images, groups, of.grids)[0])


def _bundles(graph: ir.Graph, channels: Channels) -> list[_Bundle]:
    """The gated products of a graph, those that share a class in one; none with a frozen channel."""
    classes = {name: frozenset(channels.of(name).tolist()) for name in channels.ids}
    found: list[tuple[list[ir.Node], frozenset[int]]] = []
    for node in graph:
        x = gated(node)
        if x is None or str(x.name) not in classes:
            continue
        tied = [f for f in found if not f[1].isdisjoint(classes[str(x.name)])]
        found = [f for f in found if f not in tied]
        products = [p for f in tied for p in f[0]]
        found.append(([*products, node], classes[str(x.name)].union(*(f[1] for f in tied))))
    frozen = channels.is_frozen()
    return [_bundle(products, own, classes) for products, own in found if own.isdisjoint(frozen)]


def _bundle(products: list[ir.Node], own: frozenset[int], classes: Mapping[str, frozenset[int]]) -> _Bundle:
    tensors = {str(v.name) for node in products for v in node.inputs if v is not None}
    tensors |= {_gate_name(node) for node in products}
    tensors |= {name for name, others in classes.items() if not own.isdisjoint(others)}
    return _Bundle(tuple(products), own, frozenset(tensors))


def _powers(factors: NDArray[np.float64], bundles: Iterable[_Bundle]) -> NDArray[np.float64]:
    """The nearest powers of two, within what a gate's constant holds.

    A factor common to a bundle is free: where its quietest channels want less than the least, all get more.
    """
    powers = np.rint(np.log2(factors))
    for bundle in bundles:
        own = sorted(bundle.classes)
        room = max(HIGHEST - powers[own].max(), 0)
        powers[own] += np.clip(LOWEST - powers[own].min(), 0, room)
    return np.asarray(2.0 ** np.clip(powers, LOWEST, HIGHEST))


def _only(factors: NDArray[np.float64], bundles: Iterable[_Bundle]) -> NDArray[np.float64]:
    """The factors of some bundles' classes, 1 for all others."""
    made = np.ones_like(factors)
    for bundle in bundles:
        classes = sorted(bundle.classes)
        made[classes] = factors[classes]
    return made


def _spread(bundle: _Bundle, channels: Channels, factors: NDArray[np.float64]) -> float:
    """The largest over the smallest factor in one tensor."""
    own = [factors[channels.of(str(node.outputs[0].name))] for node in bundle.products]
    return max(float(f.max() / f.min()) for f in own)


def _rewrite(graph: ir.Graph, channels: Channels, factors: NDArray[np.float64]) -> None:
    """Scales the weights around every class and hands each gate what its tensor was."""
    for node in graph:
        if weight_of(node) is not None and data_inputs(node):
            scale_around(graph, node, channels, factors)
    for node in list(graph):
        x = gated(node)
        if x is None or str(x.name) not in channels.ids:
            continue
        own = factors[channels.of(str(x.name))]
        if np.any(own != 1):
            _hand_over(graph, node, x, own)
    drop_unused(graph)


def _gate_name(product: ir.Node) -> str:
    return f"{product.outputs[0].name}_gate"


def _hand_over(graph: ir.Graph, product: ir.Node, x: ir.Value, factors: NDArray[np.float64]) -> None:
    gate = next(v for v in product.inputs if v is not x)
    sigmoid = None if gate is None else gate.producer()
    assert sigmoid is not None  # `gated` says so
    shape = (1, -1, *[1] * (len(shape_of(x)) - 2))
    constant = add_constant(
        graph, f"{_gate_name(product)}_factors", factors.astype(np.float32).reshape(shape)
    )
    scaled = ir.Node("", "Mul", [x, constant], name=_gate_name(product))
    scaled.outputs[0].name = _gate_name(product)
    scaled.outputs[0].shape, scaled.outputs[0].type = x.shape, x.type
    graph.insert_before(sigmoid, scaled)
    sigmoid.replace_input_with(0, scaled.outputs[0])
