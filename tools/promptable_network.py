"""A small promptable network of SAM's structure, written for this repository, and its export in two files.

A plain vision transformer encodes the image; the decoder turns prompts into tokens (a random Fourier code of
where, a learned one of what), lets tokens and image look at each other twice, and answers with four masks and
a guess of the IoU of each. Inputs and outputs of the files are those of SAM's official export.
Source: Kirillov et al., Segment Anything, 2023, arXiv 2304.02643, appendix A; facebookresearch/
segment-anything `modeling/`, `utils/onnx.py`.

Shapes: B images, D channels of the embedding, h x w cells, P points of a prompt, M = 4 masks, T tokens.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MASKS = 4


@dataclass(frozen=True)
class Shape:
    """side: of the image in pixels. patch: of a cell. width, depth, heads: of the encoder; embed: D."""

    side: int = 64
    patch: int = 8
    width: int = 64
    depth: int = 3
    heads: int = 2
    embed: int = 64
    decoder_heads: int = 4
    mlp: int = 96

    @property
    def cells(self) -> int:
        return self.side // self.patch


class LayerNorm2d(nn.Module):
    """Over the channels of (B, C, h, w), spelled as SAM spells it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(1, keepdim=True)
        centred = x - mean
        normal = centred / torch.sqrt(centred.pow(2).mean(1, keepdim=True) + 1e-6)
        return self.weight[:, None, None] * normal + self.bias[:, None, None]


class Attention(nn.Module):
    """Multi-head attention of q (B, T, D) to k, v (B, S, D)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        b, t, width = q.shape
        q, k, v = (
            f(x).reshape(b, -1, self.heads, width // self.heads).transpose(1, 2)
            for f, x in ((self.q, q), (self.k, k), (self.v, v))
        )
        weights = (q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(b, t, width))


class Block(nn.Module):
    """A transformer block, normalised in front."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + self.attention(y, y, y)
        return x + self.mlp(self.norm2(x))


class Encoder(nn.Module):
    """(B, 3, side, side), normalised -> (B, D, h, w)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, shape.width, shape.patch, shape.patch)
        self.where = nn.Parameter(0.02 * torch.randn(1, shape.cells**2, shape.width))
        self.blocks = nn.Sequential(*(Block(shape.width, shape.heads) for _ in range(shape.depth)))
        self.neck = nn.Sequential(
            nn.Conv2d(shape.width, shape.embed, 1, bias=False),
            LayerNorm2d(shape.embed),
            nn.Conv2d(shape.embed, shape.embed, 3, padding=1, bias=False),
            LayerNorm2d(shape.embed),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x)
        b, width, h, w = x.shape
        x = self.blocks(x.flatten(2).transpose(1, 2) + self.where)
        neck: Tensor = self.neck(x.transpose(1, 2).reshape(b, width, h, w))
        return neck


class TwoWay(nn.Module):
    """Tokens look at themselves, then at the image; the image looks at the tokens."""

    def __init__(self, width: int, heads: int, mlp: int) -> None:
        super().__init__()
        self.own, self.to_image, self.to_tokens = (Attention(width, heads) for _ in range(3))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.mlp = nn.Sequential(nn.Linear(width, mlp), nn.ReLU(), nn.Linear(mlp, width))

    def forward(self, tokens: Tensor, image: Tensor, said: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
        q = tokens + said
        tokens = self.norms[0](tokens + self.own(q, q, tokens))
        tokens = self.norms[1](tokens + self.to_image(tokens + said, image + where, image))
        tokens = self.norms[2](tokens + self.mlp(tokens))
        image = self.norms[3](image + self.to_tokens(image + where, tokens + said, tokens))
        return tokens, image


class Decoder(nn.Module):
    """Embeddings (B, D, h, w), points (B, P, 2) in pixels, labels (B, P), a mask from before (B, 1, 4h, 4w)
    and whether there is one (1,) -> masks (B, M, 4h, 4w) and guesses of their IoU (B, M)."""

    code: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d = shape.embed
        self.shape = shape
        self.register_buffer("code", torch.randn(2, d // 2))
        self.kinds = nn.Parameter(0.02 * torch.randn(4, d))  # background, object, first and second corner
        self.nothing, self.no_mask = (nn.Parameter(0.02 * torch.randn(d)) for _ in range(2))
        self.masks_in = nn.Sequential(
            nn.Conv2d(1, 4, 2, 2), LayerNorm2d(4), nn.GELU(),
            nn.Conv2d(4, 16, 2, 2), LayerNorm2d(16), nn.GELU(), nn.Conv2d(16, d, 1),
        )  # fmt: skip
        self.answers = nn.Parameter(0.02 * torch.randn(1 + MASKS, d))  # of the guesses, of each mask
        self.layers = nn.ModuleList(TwoWay(d, shape.decoder_heads, shape.mlp) for _ in range(2))
        self.last, self.norm = Attention(d, shape.decoder_heads), nn.LayerNorm(d)
        self.finer = nn.Sequential(
            nn.ConvTranspose2d(d, d // 4, 2, 2), LayerNorm2d(d // 4), nn.GELU(),
            nn.ConvTranspose2d(d // 4, d // 8, 2, 2), nn.GELU(),
        )  # fmt: skip
        self.weights = nn.ModuleList(_mlp(d, d, d // 8) for _ in range(MASKS))
        self.guess = _mlp(d, d, MASKS)

    def where(self, places: Tensor) -> Tensor:
        """(..., D) the code of places (..., 2), 0..1."""
        turned = 2 * math.pi * (2 * places - 1) @ self.code
        return torch.cat([turned.sin(), turned.cos()], -1)

    def prompts(self, points: Tensor, labels: Tensor) -> Tensor:
        """(B, P, D)"""
        found = self.where((points + 0.5) / self.shape.side)
        labels = labels.unsqueeze(-1)
        found = found * (labels != -1) + self.nothing * (labels == -1)
        for kind in range(4):
            found = found + self.kinds[kind] * (labels == kind)
        return found

    def forward(
        self, image: Tensor, points: Tensor, labels: Tensor, mask: Tensor, has_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        h, w = image.shape[-2:]
        steps = (torch.arange(self.shape.cells) + 0.5) / self.shape.cells
        grid = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1)
        where = self.where(grid).reshape(1, -1, self.shape.embed)
        before = has_mask * self.masks_in(mask) + (1 - has_mask) * self.no_mask.reshape(1, -1, 1, 1)
        seen = (image + before).flatten(2).transpose(1, 2)
        answers = self.answers.unsqueeze(0).expand(image.shape[0], -1, -1)
        said = torch.cat([answers, self.prompts(points, labels)], 1)
        tokens = said
        for layer in self.layers:
            tokens, seen = layer(tokens, seen, said, where)
        tokens = self.norm(tokens + self.last(tokens + said, seen + where, seen))
        fine = self.finer(seen.transpose(1, 2).reshape(image.shape[0], -1, h, w))
        weights = torch.stack([f(tokens[:, 1 + i]) for i, f in enumerate(self.weights)], 1)
        masks = (weights @ fine.flatten(2)).reshape(image.shape[0], MASKS, 4 * h, 4 * w)
        return masks, self.guess(tokens[:, 0])


def _mlp(c_in: int, inner: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(c_in, inner), nn.ReLU(), nn.Linear(inner, inner), nn.ReLU(),
                         nn.Linear(inner, c_out))  # fmt: skip


class Exported(nn.Module):
    """The decoder as SAM's official export has it: masks at the size of the image as well."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self, image_embeddings: Tensor, point_coords: Tensor, point_labels: Tensor, mask_input: Tensor,
        has_mask_input: Tensor, orig_im_size: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        low, fits = self.decoder(image_embeddings, point_coords, point_labels, mask_input, has_mask_input)
        side = self.decoder.shape.side
        whole = F.interpolate(low, (side, side), mode="bilinear", align_corners=False)
        scale = side / orig_im_size.max()
        held = torch.floor(scale * orig_im_size + 0.5).to(torch.int64)
        cut = whole[..., : held[0], : held[1]]
        size = orig_im_size.to(torch.int64)
        masks = F.interpolate(cut, (size[0], size[1]), mode="bilinear", align_corners=False)
        return masks, fits, low


def export(encoder: Encoder, decoder: Decoder, shape: Shape, folder: Path) -> Path:
    """Writes encoder.onnx, decoder.onnx and the card.toml that names them; returns the card."""
    n, low = shape.cells, 4 * shape.cells
    image, embedded = torch.zeros(1, 3, shape.side, shape.side), torch.zeros(1, shape.embed, n, n)
    asked = (torch.ones(1, 2, 2), torch.ones(1, 2), torch.zeros(1, 1, low, low), torch.zeros(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing holds shapes, which is what an export is for
        torch.onnx.export(
            encoder.eval(), (image,), str(folder / "encoder.onnx"), opset_version=17, dynamo=False,
            input_names=["image"], output_names=["image_embeddings"],
        )  # fmt: skip
        torch.onnx.export(
            Exported(decoder).eval(), (embedded, *asked, torch.tensor([80.0, 64.0])),
            str(folder / "decoder.onnx"), opset_version=17, dynamo=False,
            input_names=["image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input",
                         "orig_im_size"],
            output_names=["masks", "iou_predictions", "low_res_masks"],
            dynamic_axes={"point_coords": {1: "num_points"}, "point_labels": {1: "num_points"}},
        )  # fmt: skip
    card = folder / "card.toml"
    card.write_text('[parts]\nencoder = "encoder.onnx"\ndecoder = "decoder.onnx"\n')
    return card
