"""Codebooks: the weights of a layer take one of k values, stored as 4-bit (8-bit) indices and a table.

The weight becomes Gather(table, Cast(indices)), which ONNX Runtime folds when the model is loaded. Behind
w8a8 the table holds int8 integers, so the layer still computes in INT8; before it, float32. Where weights
were pruned, zero is one of the k values, exactly. How the values are found: pack/codebook.py.

With `bits`, so many bits a weight are what the indices hold once they are entropy-coded (pack/pdz.py).
`distill` behind this step learns the values, and which weight takes which.

Source: Han et al. 2016, "Deep Compression", arXiv 1510.00149, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.draft import Draft
from paredown._compress.pack.codebook import Book, entropy, kmeans, lattice, widths
from paredown._compress.pack.feedback import rounded
from paredown._compress.pack.pack import INT4, integers_of, raise_opset
from paredown._compress.pack.sensitivity import sensitivities
from paredown._compress.pack.table import LARGEST, NARROW, read_from_table
from paredown._compress.quantize.placement.keep_float import KEPT, is_kept
from paredown._compress.recipe import FLOAT_WEIGHTS, IN_INTEGERS, Context, Stage, Step
from paredown.errors import UsageError
from paredown.graph.walk import constant, to_model, weight_of
from paredown.measurement import StepRecord

WORTH = 512  # weights: smaller layers stay as they are
NOT_FASTER = (
    "codebooks make the file smaller, most of all once it is packed (.pdz); the runtime turns them back "
    "when it loads the model and computes as before, so expect no gain in latency"
)


@dataclass(frozen=True)
class Cluster(Step):
    """cluster: the weights of every layer from a table of k values."""

    kind: ClassVar[str] = "cluster"
    summary: ClassVar[str] = "codebooks of 16 values a layer (Han 2016), turned back when loaded"
    requires: ClassVar[frozenset[Stage]] = FLOAT_WEIGHTS | IN_INTEGERS | {"signs", "foreign"}

    # with bits: errors that make up for each other (feedback.py), bits where they matter (sensitivity.py)
    rounding: Literal["", "gptq"] = ""
    k: int = 0  # values of a table, at most; 0: 16, or 256 where bits are given
    bits: float = 0.0  # a weight, entropy-coded; 0: as many as k values need

    def provides(self, stage: Stage) -> Stage:
        return "codebooks" if stage in FLOAT_WEIGHTS else "packed"

    @property
    def learns(self) -> bool:
        return bool(self.rounding)

    @property
    def values(self) -> int:
        return self.k or (LARGEST if self.bits else NARROW)

    def check(self) -> None:
        """Raises UsageError for a table of no or too many values."""
        if not 2 <= self.values <= LARGEST:
            raise UsageError(
                f"{self.name}: no such table", got=f"{self.k} values", expected=f"2 to {LARGEST}"
            )
        if self.rounding and not self.bits:
            raise UsageError(f"{self.name}: even cells are needed", hint="say how many bits: -bits2.5")
        if self.bits and not 0.5 <= self.bits <= 8:
            raise UsageError(f"{self.name}: no such size", got=f"{self.bits:g} bits", expected="0.5 to 8")


def apply(step: Cluster, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Puts shared weights into the graph; a record for every layer."""
    step.check()
    if not any(_weight(node) is not None for node in draft.graph):
        return (StepRecord(step.name, "", "skipped", "no layer with a constant weight"),)
    model = draft.model = raise_opset(draft.model, INT4)
    weights = {node: array for node in model.graph if (array := _weight(node)) is not None}
    spared = {node: why for node, w in weights.items() if (why := _why_spared(step, node, w, context))}
    books = _books(step, model, {node: w for node, w in weights.items() if node not in spared}, context)
    log = [StepRecord(step.name, "", "note", NOT_FASTER)] if books else []
    for node, weight in weights.items():
        if node in spared:
            log.append(StepRecord(step.name, _layer(node), *spared[node]))
            continue
        book = books[node]
        _store(draft, node, weight, book)
        gap = np.mean((book.values.astype(np.float64) - weight) ** 2) / max(np.var(weight), 1e-30)
        data = {"error": round(float(gap), 5), "bits": round(entropy(book.indices), 3)}
        log.append(StepRecord(step.name, _layer(node), "changed", f"{len(book.table)} values", data))
    return tuple(log)


def _why_spared(
    step: Cluster, node: ir.Node, weight: NDArray[Any], context: Context
) -> tuple[str, str] | None:
    """Action and reason."""
    if is_kept(_layer(node), context):
        return "float", KEPT
    return ("skipped", f"fewer than {WORTH} values") if weight.size < WORTH else None


def _books(
    step: Cluster, model: ir.Model, weights: Mapping[ir.Node, NDArray[Any]], context: Context
) -> dict[ir.Node, Book]:
    if not step.bits:
        return {node: kmeans(w, step.values) for node, w in weights.items()}
    found = widths(weights, step.values, step.bits)
    if not step.rounding:
        return {node: lattice(w, step.values, found[node]) for node, w in weights.items()}
    network = to_model(model, context.source)
    sensitivity = sensitivities(network, weights, found, step.values, context)
    found = widths(weights, step.values, step.bits, sensitivity)
    books = {node: lattice(w, step.values, found[node]) for node, w in weights.items()}
    # what was pruned must stay zero, so such layers are not rounded again
    whole = {node: w for node, w in weights.items() if weight_of(node) is not None and np.all(w)}
    return books | dict(rounded(network, whole, found, step.values, context))


def _layer(node: ir.Node) -> str:
    """The name of the layer that multiplies with the weight."""
    return str(node.name) if node.op_type != "DequantizeLinear" else _reader(node)


def _weight(node: ir.Node) -> NDArray[Any] | None:
    """What a layer multiplies with: its float weight, or the integers behind its DequantizeLinear."""
    if node.op_type == "DequantizeLinear":
        return integers_of(node)
    weight = weight_of(node)
    return None if weight is None else constant(weight)


def _reader(dq: ir.Node) -> str:
    return str(next(iter(dq.outputs[0].uses())).node.name)


def _store(draft: Draft, node: ir.Node, weight: NDArray[Any], book: Book) -> None:
    place = 0 if node.op_type == "DequantizeLinear" else 1
    gather = read_from_table(draft.graph, node, place, book.table, book.indices)
    if weight.dtype == np.float32:
        draft.codebooks[str(gather.name)] = weight if book.start is None else book.start
