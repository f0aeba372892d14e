"""The noun `Policy`: what a runtime computes in integers on a device. Every file in `runtimes/` gives one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Precision = Literal["float16", "bfloat16"]

HALVES: dict[Precision, str] = {"float16": "fp16", "bfloat16": "bf16"}
"""Precision -> the recipe for it."""

PRECISION_KEY = "paredown.precision"
"""Metadata of an ONNX file: the precision that the runtime is to compute its float part in."""


@dataclass(frozen=True)
class Policy:
    """The integer arithmetic of one runtime on one device, by op type.

    kernel: with an integer kernel of their own, every input and output on its own integers. same: output on
    the parameters of the input (values are only moved). absorbed: folded into the parameters of their output
    (a clipped range).
    activations, weights: the integer types; int8 activations are symmetric, -127..127 around 0.
    writes_real: a kernel reads integers and writes real numbers, so nothing behind it is rounded but what the
    next kernel reads.
    fused: computed in real numbers behind such a kernel, in one with it: activations, sums.
    channelwise: whether what only depthwise convolutions read may have a grid for every channel.
    rounds_sums: there, a sum reads rounded what a kernel reads rounded anyway: it is kept in one form.
    real_biases: biases are real numbers, not integers of 32 bits.
    per_channel: whether every channel of a weight may have a scale.
    weight_bits: 7 where sums of 8-bit products saturate, else 8.
    computed: precisions other than float32 that the float part can be computed in, when it is built so.
    stored: those that only the weights in the file can have: the arithmetic is in float32.
    small_weights: whether weights may be integers in the file where the arithmetic is in float32.
    dynamic: whether it has products of integers whose range is found at every run.
    """

    name: str  # of the runtime, as the log writes it
    kernel: frozenset[str]
    same: frozenset[str]
    absorbed: frozenset[str]
    activations: Literal["uint8", "int8"] = "uint8"
    weights: Literal["int8", "uint8"] = "int8"
    per_channel: bool = True
    writes_real: bool = False
    fused: frozenset[str] = frozenset()
    channelwise: bool = False
    rounds_sums: bool = False
    real_biases: bool = False
    weight_bits: int = 8
    computed: frozenset[Precision] = frozenset()
    stored: frozenset[Precision] = frozenset()
    small_weights: bool = True
    dynamic: bool = True


def possible(policy: Policy) -> list[str]:
    """The recipes that the runtime can do something with."""
    halves = [word for precision, word in HALVES.items() if precision in policy.computed | policy.stored]
    integers = ["int8", "int4", "mixed"] if policy.kernel else []
    weights = ["int8-weights"] if policy.small_weights else []
    return ["float", *halves, *integers, *weights]


def possible_instead(policy: Policy) -> str:
    """The same in words: the hint where another recipe was asked for."""
    return f"{policy.name} takes the recipes {', '.join(possible(policy))}"
