"""Zeros for the weights of least magnitude: at once, on a gradual schedule, or with surgery while learning.

    mask = |W| > threshold,  W <- W * mask

Zeros make a file smaller once it is packed (pack/pdz.py); stock runtimes on CPUs multiply with them as with
any other number, so nothing gets faster, and the log says so.

Source: Han et al. 2015, "Learning both Weights and Connections", arXiv 1506.02626, section 3.
Differs from the source: the share of zeros is given and the threshold follows; nothing is said by labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.prune.pattern import Mask, kept, layer_shares, why_not
from paredown._compress.quantize.placement.plan import body_of
from paredown._compress.recipe import Context, Step
from paredown.errors import UsageError
from paredown.graph.walk import (
    constant,
    consumers,
    data_inputs,
    is_depthwise,
    output_axis,
    shape_of,
    upstream,
    weight_of,
)
from paredown.measurement import StepRecord

Weights = NDArray[np.float32]
FEW = 0.02  # of all weights: the first layer, a head and depthwise layers are spared up to here
NOT_FASTER = (
    "zeros make the packed file (.pdz) smaller; ONNX Runtime multiplies with them as with other numbers, "
    "so expect no gain in latency"
)


@dataclass(frozen=True)
class Sparse(Step):
    """sparse: so many percent of the weights are zero."""

    kind: ClassVar[str] = "sparse"
    summary: ClassVar[str] = "zeros for the smallest weights, also in patterns (-nm, -block); -surgery learns"
    amount: ClassVar[str] = "percent"

    percent: float = 50.0
    threshold: Literal["", "global"] = ""  # "": one for every layer
    pattern: Literal["", "nm", "block"] = ""
    learning: Literal["", "gradual", "surgery"] = ""
    of: int = 4  # the M of N:M
    lanes: int = 8  # output channels of a block
    steps: int = 2000  # of learning
    minutes: float = 30.0  # whichever ends first
    rate: float = 0.001

    @property
    def learns(self) -> bool:
        return bool(self.learning)

    @property
    def packages(self) -> tuple[str, ...]:
        return ("torch",) if self.learning else ()

    @property
    def share(self) -> float:
        return self.percent / 100

    def check(self) -> None:
        """Raises UsageError for a setting that means nothing."""
        if not 0 <= self.percent < 100:
            raise UsageError(
                f"{self.name}: no such share of zeros", got=f"{self.percent:g} %", expected="0 to 99"
            )
        if self.of < 1 or self.lanes < 1:
            raise UsageError(f"{self.name}: groups and blocks hold at least one weight")
        if self.pattern == "nm" and (self.share * self.of) % 1:
            raise UsageError(
                f"{self.name}: {self.percent:g} % of {self.of} weights is no whole number",
                hint=f"multiples of {100 / self.of:g} %, or another group: -of8",
            )
        if self.pattern == "nm" and self.threshold == "global":
            raise UsageError(f"{self.name}: N:M gives every layer the same share", hint="leave out -global")


@dataclass(frozen=True)
class Layer:
    """A weight that gets zeros. share: of its weights."""

    node: ir.Node
    share: float

    @property
    def weight(self) -> ir.Value:
        value = weight_of(self.node)
        assert value is not None  # `_choose` took only such nodes
        return value

    @property
    def numbers(self) -> Weights:
        return np.asarray(constant(self.weight), np.float32)

    def mask(self, score: Weights, step: Sparse, share: float) -> Mask:
        """True where the weight is kept, in the weight's own shape; `score` has it too."""
        axis = output_axis(self.node)
        mask = kept(np.moveaxis(score, axis, 0), share, step.pattern, step.of, step.lanes)
        return np.ascontiguousarray(np.moveaxis(mask, 0, axis))


def apply(step: Sparse, model: ir.Model, context: Context) -> tuple[ir.Model, tuple[StepRecord, ...]]:
    """The graph with zeros among its weights, and a record for every layer."""
    step.check()
    layers, spared = _choose(step, model.graph, context)
    if not layers:
        why = "no layer with float weights that may be pruned: put this step in front of quantizing ones"
        return model, (StepRecord(step.name, "", "skipped", why), *spared)
    told: tuple[StepRecord, ...] = ()
    if step.learning:
        from paredown._compress.prune import surgery  # needs torch, which the other settings do without

        told = surgery.learn(step, model, layers, context)
    else:
        masks = masks_at_once(step, layers)
        for layer in layers:
            _set(layer.weight, layer.numbers * masks[str(layer.weight.name)])
    log = [StepRecord(step.name, "", "note", NOT_FASTER), *told, *spared]
    return model, (*log, *(_record(step, layer) for layer in layers))


def _choose(step: Sparse, graph: ir.Graph, context: Context) -> tuple[list[Layer], list[StepRecord]]:
    """The layers that get zeros, and why the others do not."""
    nodes: dict[ir.Value, ir.Node] = {}  # two layers may share one weight
    for node in graph:
        weight = weight_of(node)
        if weight is not None and weight.dtype == ir.DataType.FLOAT:
            nodes.setdefault(weight, node)
    if not nodes:
        return [], []
    body, total = body_of(graph), sum(int(np.prod(shape_of(weight))) for weight in nodes)
    chosen: dict[ir.Node, Weights] = {}
    spared = []
    for weight, node in nodes.items():
        array = np.asarray(constant(weight), np.float32)
        asked = next((str(n.name) for n in consumers(weight) if str(n.name) in context.keep_float), "")
        why = "kept as asked" if asked else _why_spared(step, node, array, body, total)
        if why:
            action = "float" if asked else "skipped"
            spared.append(StepRecord(step.name, asked or str(node.name), action, why, {"op": node.op_type}))
        else:
            chosen[node] = array
    shares = dict.fromkeys(chosen, step.share)
    if step.threshold == "global":
        shares = layer_shares(chosen, step.share)
    return [Layer(node, shares[node]) for node in chosen], spared


def _why_spared(step: Sparse, node: ir.Node, weight: Weights, body: set[ir.Node], total: int) -> str:
    if node not in body:
        return "decode tail: no learned weights"
    if weight.ndim < 2:
        return "a vector, not a matrix"
    if weight.size < FEW * total:
        part = f"with {weight.size / total:.1%} of all weights there is little to gain"
        if is_depthwise(node):
            return f"depthwise: {part}"
        if not any(weight_of(n) is not None for n in upstream(_makers(node))):
            return f"first layer: {part}"
        if not any(reader in body for value in node.outputs for reader in consumers(value)):
            return f"head: {part}"
    shape = np.moveaxis(weight, output_axis(node), 0).shape
    return why_not(shape, step.share, step.pattern, step.of)


def _makers(node: ir.Node) -> list[ir.Node]:
    return [p for v in data_inputs(node) if (p := v.producer()) is not None]


def _record(step: Sparse, layer: Layer) -> StepRecord:
    zero = float(np.mean(layer.numbers == 0))
    data = {"op": layer.node.op_type, "sparsity": round(zero, 4), "weights": layer.numbers.size}
    return StepRecord(step.name, str(layer.node.name), "changed", f"{zero:.0%} of its weights are zero", data)


def _set(value: ir.Value, array: Weights) -> None:
    value.const_value = ir.tensor(array.astype(np.float32), name=value.name)


def masks_at_once(step: Sparse, layers: Sequence[Layer]) -> dict[str, Mask]:
    """The mask of every layer from its weights as they are, by weight name."""
    return {str(x.weight.name): x.mask(np.abs(x.numbers), step, x.share) for x in layers}
