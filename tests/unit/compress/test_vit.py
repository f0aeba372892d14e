"""A small vision transformer, exported by torch: its matrix products in INT8, dynamic INT8 and INT4."""

from __future__ import annotations

import numpy as np
import pytest

import nets
from paredown.graph.load import to_proto
from paredown.graph.prepare import prepare
from paredown.model import Model

torch = pytest.importorskip("torch", reason="pip install 'paredown[train]'")

from paredown.torch_export import from_torch  # noqa: E402

DIM, PATCH = 32, 4


class Block(torch.nn.Module):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = torch.nn.LayerNorm(DIM), torch.nn.LayerNorm(DIM)
        self.qkv, self.out = torch.nn.Linear(DIM, 3 * DIM), torch.nn.Linear(DIM, DIM)
        self.mlp = torch.nn.Sequential(
            torch.nn.Linear(DIM, 2 * DIM), torch.nn.GELU(), torch.nn.Linear(2 * DIM, DIM)
        )

    def forward(self, x):
        n, tokens, _ = x.shape
        q, k, v = self.qkv(self.first(x)).reshape(n, tokens, 3, 4, DIM // 4).permute(2, 0, 3, 1, 4)
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.out(y.transpose(1, 2).reshape(n, tokens, DIM))
        return x + self.mlp(self.second(x))


class Vit(torch.nn.Module):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        super().__init__()
        self.patches = torch.nn.Conv2d(3, DIM, PATCH, PATCH)
        self.place = torch.nn.Parameter(torch.randn(1, (16 // PATCH) ** 2, DIM) * 0.1)
        self.blocks = torch.nn.Sequential(Block(), Block())
        self.head = torch.nn.Sequential(torch.nn.LayerNorm(DIM), torch.nn.Linear(DIM, 10))

    def forward(self, image):
        x = self.patches(image).flatten(2).transpose(1, 2) + self.place
        return self.head(self.blocks(x).mean(1))


@pytest.fixture(scope="module")
def vit() -> Model:
    torch.manual_seed(0)
    return prepare(from_torch(Vit(), (1, 3, 16, 16)))


@pytest.mark.parametrize(("recipe", "least"), [("w8a8-pc-mse", 15.0), ("int8-dynamic", 20.0), ("int4", 5.0)])
def test_the_answers_hold(vit: Model, recipe: str, least: float) -> None:
    """least: signal to noise in decibels, over the images."""
    made = nets.compressed(vit, recipe).model
    pairs = [(nets.run(vit, x)[0], nets.run(made, x)[0]) for x in nets.images(8)]
    want, got = (np.concatenate(part) for part in zip(*pairs, strict=True))
    decibel = 10 * np.log10(np.var(want) / np.mean((want - got) ** 2))
    print(f"{recipe}: {decibel:.1f} dB, {vit.size_bytes} -> {made.size_bytes} bytes")
    assert decibel > least
    ops = [n.op_type for n in to_proto(made).graph.node]
    assert recipe != "int8-dynamic" or (ops.count("MatMulInteger"), ops.count("Gemm")) == (9, 0)
    assert made.size_bytes < (0.8 if recipe == "int8-dynamic" else 1.1) * vit.size_bytes  # a small graph
