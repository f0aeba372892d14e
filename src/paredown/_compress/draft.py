"""The noun `Draft`: what flows from step to step while a model is compressed.

Everything but the graph is known by the names of the source's nodes, which no step changes: a step may write
the graph anew (another opset, other names inside), and what the steps before it found out stays known.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.model import Model
from paredown.numerics.quant_params import QuantParams

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class QuantizedLayer:
    """What was put into integers of one layer.

    params: of its weight. unrounded: the weight in steps of `params`, near its integers once those were
    chosen with care; rounding and learning start there. head: of its answer, where the layer answers in the
    integers of a head that has parameters for every channel.
    """

    params: QuantParams
    unrounded: Floats
    head: QuantParams | None = None


@dataclass(frozen=True)
class Ungated:
    """The model without factors at its gates, and the sha256 of that with them."""

    model: Model
    gated_sha256: str


@dataclass
class Draft:
    """A model on its way through a recipe.

    model: the graph as it is by now; steps change it in place or put another in its place. float_model: the
    model whose layers were put into integers, None before. layers: node name -> what became of its weight.
    codebooks: name of a table's Gather -> the weight before it took the table's values. kept_channels: tensor
    -> which of the source's channels it still has, where some were pruned. ungated: the model before `gates`.
    """

    model: ir.Model
    float_model: Model | None = None
    layers: dict[str, QuantizedLayer] = field(default_factory=dict)
    codebooks: dict[str, Floats] = field(default_factory=dict)
    kept_channels: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    ungated: Ungated | None = None

    @property
    def graph(self) -> ir.Graph:
        return self.model.graph
