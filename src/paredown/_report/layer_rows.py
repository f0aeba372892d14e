"""One model, layer by layer: what its file says, what its recipe logged, and what the runtime took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from paredown._report.plain_reasons import plain
from paredown._report.story import NodeSeconds
from paredown.graph.layers import Layer, Layers
from paredown.graph.walk import WEIGHTED
from paredown.measurement import StepRecord

Kind = Literal["float", "weights", "few", "integer", "index"]
WORDS: Mapping[Kind, str] = {
    "float": "float",
    "weights": "stored in integers, computed in float",
    "few": "integers, weight in fewer than 7 bits",
    "integer": "integers",
    "index": "shapes and indices",
}

NOT_QUANTIZED = "Nothing of this model is quantized."


@dataclass(frozen=True)
class LayerRow:
    """A layer as the report shows it. place: its number in the graph, from 1.

    ms, float_ms: its time here, in this model and in the float model; None where not known. sensitivity:
    noise at the model's outputs, as a part of their signal, that 8 bits in this layer alone cause. why: why
    it is float, or what was done to it.
    """

    place: int
    layer: Layer
    kind: Kind
    ms: float | None
    float_ms: float | None
    sensitivity: float | None
    why: str


def layer_rows(
    found: Layers,
    log: Sequence[StepRecord],
    source: Layers | None = None,
    mine: NodeSeconds | None = None,
    floats: NodeSeconds | None = None,
) -> tuple[LayerRow, ...]:
    """All layers of one model in the order of its graph. source: the float model's layers."""
    said = _said(log)
    damage = _sensitivities(log, source or found)
    only_products = _only_products(log)
    plainly_float = not any(_quantized(layer) for layer in found.layers)
    return tuple(
        LayerRow(
            place,
            layer,
            _kind(layer),
            _ms(mine, layer.node),
            _ms(floats, layer.name),
            damage.get(layer.name),
            NOT_QUANTIZED
            if plainly_float and not said and layer.arithmetic != "index"
            else _why(layer, said.get(layer.name), only_products, logged=bool(said)),
        )
        for place, layer in enumerate(found.layers, start=1)
    )


def _kind(layer: Layer) -> Kind:
    if layer.arithmetic == "index":
        return "index"
    few = layer.weight_bits is not None and layer.weight_bits < 7
    if layer.arithmetic == "integer":
        return "few" if few else "integer"
    return "weights" if layer.weight_bits is not None and layer.weight_bits < 16 else "float"


def _ms(times: NodeSeconds | None, node: str) -> float | None:
    """Milliseconds of a node; None where it has no kernel of its own or nothing was timed."""
    seconds = None if times is None else times.seconds.get(node)
    return None if seconds is None else 1e3 * seconds


def _said(log: Sequence[StepRecord]) -> dict[str, StepRecord]:
    """For each place the record of the step that decided over integers: the last "float" or "quantized"."""
    return {r.where: r for r in log if r.where and r.action in ("float", "quantized")}


def _sensitivities(log: Sequence[StepRecord], source: Layers) -> dict[str, float]:
    """Layer -> noise at the outputs that its grids alone cause, where a recipe measured it."""
    made_by = {tensor: layer.name for layer in source.layers for tensor in layer.outputs}
    found: dict[str, float] = {}
    for record in log:
        damage = record.data.get("damage")
        if record.where and isinstance(damage, int | float):
            found[record.where] = float(damage)
        elif isinstance(damage, Mapping):
            for tensor, value in damage.items():
                name = made_by.get(str(tensor))
                if name is not None and isinstance(value, int | float):
                    found[name] = found.get(name, 0.0) + float(value)
    return found


def _only_products(log: Sequence[StepRecord]) -> bool:
    ops = {r.data.get("op") for r in log if r.action == "quantized"}
    return bool(ops) and ops <= set(WEIGHTED)


def _quantized(layer: Layer) -> bool:
    """Whether it computes in integers or its weight is stored in few bits."""
    return layer.arithmetic == "integer" or (layer.weight_bits is not None and layer.weight_bits < 16)


def _why(layer: Layer, record: StepRecord | None, only_products: bool, *, logged: bool) -> str:
    """Why the layer is float; of one in integers what was done."""
    if layer.arithmetic == "index":
        return "Shapes and indices: no numbers of the network."
    if record is not None and record.action == "float":
        return plain(record.why)
    if layer.arithmetic == "integer":
        return plain(record.why) if record is not None else ""
    if _quantized(layer):
        return f"Its weight is stored in {layer.weight_bits} bits and unpacked; it computes in float."
    if record is not None:
        return "On a grid, but float is read from it or given to it, so the runtime computes it in float."
    if only_products:
        return "This recipe quantizes convolutions and matrix products only."
    return (
        "The recipe says nothing of this layer." if logged else "This recipe keeps no record of its layers."
    )
