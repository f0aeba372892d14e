"""Random networks: with channels taken out they answer as with those channels' columns at zero."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import nets
import pruned
from paredown.graph.inspect import inspect
from paredown.model import Model


class Builder:
    """A network in the making: `x` has `channels` channels and `size` rows and columns."""

    def __init__(self, seed: int) -> None:
        self.net = nets.Net(seed=seed)
        self.channels, self.size = 8, nets.SIZE
        self.x = self.net.conv("image", 3, self.channels)

    def conv(self, outer: int, **more: int) -> str:
        return self.net.conv(self.x, self.channels, outer, **more)

    def layer(self) -> None:
        self.x, self.channels = self.net.node("Relu", self.conv(12, kernel=3)), 12

    def silu(self) -> None:
        self.x = self.net.silu(self.x)

    def depthwise(self) -> None:
        self.x = self.conv(self.channels, group=self.channels)

    def doubled(self) -> None:
        self.x, self.channels = self.conv(2 * self.channels, group=self.channels), 2 * self.channels

    def grouped(self) -> None:
        if self.channels % 2 == 0:
            self.x, self.channels = self.conv(8, group=2), 8

    def residual(self) -> None:
        self.x = self.net.node("Add", self.x, self.net.silu(self.conv(self.channels)))

    def concat(self) -> None:
        self.x = self.net.node("Concat", self.x, self.net.node("Tanh", self.conv(5)), axis=1)
        self.channels += 5

    def split(self) -> None:
        """The halves of a C2f block: one goes on as it is, one through a layer."""
        a = self.channels // 2
        sizes = self.net.constant(np.array([a, self.channels - a]))
        left = self.net.node("Split", self.x, sizes, axis=1, outputs=2)
        inner = self.net.conv(f"{left}_1", self.channels - a, self.channels - a)
        self.x = self.net.node("Concat", left, self.net.node("Add", inner, f"{left}_1"), axis=1)

    def shuffle(self) -> None:
        c, s = self.channels, self.size
        if c % 2 == 0:
            apart = self.net.node(
                "Transpose", self.net.reshape(self.x, 1, 2, c // 2, s, s), perm=[0, 2, 1, 3, 4]
            )
            self.x = self.net.reshape(apart, 1, -1, s, s)

    def squeeze(self) -> None:
        """Squeeze and excitation."""
        pooled = self.net.node("GlobalAveragePool", self.x)
        inner = self.net.node("Relu", self.net.conv(pooled, self.channels, 6, 1))
        gate = self.net.node("HardSigmoid", self.net.conv(inner, 6, self.channels, 1))
        self.x = self.net.node("Mul", self.x, gate)

    def attend(self) -> None:
        """One gate for all channels."""
        self.x = self.net.node("Mul", self.x, self.net.node("Sigmoid", self.conv(1)))

    def scaled(self) -> None:
        self.x = self.net.node("Mul", self.x, self.net.normal(self.channels, 1, 1))

    def sloped(self) -> None:
        self.x = self.net.node("PRelu", self.x, self.net.normal(self.channels, 1, 1))

    def pool(self) -> None:
        self.x = self.net.node("MaxPool", self.x, kernel_shape=[3, 3], pads=[1, 1, 1, 1])

    def resize(self) -> None:
        if self.size > 4:
            self.size //= 2
            sizes = self.net.constant(np.array([1, self.channels, self.size, self.size]))
            self.x = self.net.node("Resize", self.x, "", "", sizes, mode="nearest")

    def pad(self) -> None:
        pads = self.net.constant(np.array([0, 1, 0, 0, 0, 3, 0, 0]))
        self.x, self.channels = self.net.node("Pad", self.x, pads), self.channels + 4

    def part(self) -> None:
        bounds = [self.net.constant(np.array([v])) for v in (1, self.channels, 1)]
        self.x, self.channels = self.net.node("Slice", self.x, *bounds), self.channels - 1

    def reverse(self) -> None:
        self.x = self.net.node(
            "Gather", self.x, self.net.constant(np.arange(self.channels)[::-1].copy()), axis=1
        )

    def finish(self, end: str) -> Model:
        if end == "conv":
            return self.net.model(self.conv(4, kernel=1))
        flat = self.net.node(
            "Flatten", self.x if end == "flat" else self.net.node("GlobalAveragePool", self.x)
        )
        width = self.channels * (self.size**2 if end == "flat" else 1)
        return self.net.model(self.net.node("Gemm", flat, self.net.normal(5, width, spread=0.1), transB=1))


BLOCKS: dict[str, Callable[[Builder], None]] = {
    name: block
    for name, block in vars(Builder).items()
    if not name.startswith("_") and name not in ("conv", "finish")
}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(BLOCKS)), min_size=1, max_size=7),
    st.sampled_from(["conv", "pool", "flat"]),
    st.floats(0.1, 0.7),
    st.sampled_from([1, 2, 4]),
    st.integers(0, 100),
)
def test_shrunk_answers_as_zeroed(blocks: list[str], end: str, share: float, align: int, seed: int) -> None:
    builder = Builder(seed)
    for name in blocks:
        BLOCKS[name](builder)
    model = builder.finish(end)
    removed = pruned.chosen(model, share, align, seed)
    made = pruned.shrunk(model, removed)
    assert pruned.difference(pruned.zeroed(model, removed), made) < 1e-4
    before, after = inspect(model).macs, inspect(made).macs
    assert after < before if removed else after == before
