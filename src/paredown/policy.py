"""The noun `Policy`: what a runtime computes in integers on a device. Every file in `runtimes/` gives one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Policy:
    """The integer arithmetic of one runtime on one device, by op type.

    kernel: with an integer kernel of their own, every input and output on its own integers. same: output on
    the parameters of the input (values are only moved). absorbed: folded into the parameters of their output
    (a clipped range).
    activations, weights: the integer types; int8 activations are symmetric, -127..127 around 0.
    writes_real: a kernel reads integers and writes real numbers, so nothing behind it is rounded but what the
    next kernel reads.
    per_channel: whether every channel of a weight may have a scale.
    weight_bits: 7 where sums of 8-bit products saturate, else 8.
    """

    name: str  # of the runtime, as the log writes it
    kernel: frozenset[str]
    same: frozenset[str]
    absorbed: frozenset[str]
    activations: Literal["uint8", "int8"] = "uint8"
    weights: Literal["int8", "uint8"] = "int8"
    per_channel: bool = True
    writes_real: bool = False
    weight_bits: int = 8
