"""The demo's detector: a small anchor-free network of the modern kind, written for this repository.

CSP backbone with SiLU, a top-down and a bottom-up path between three scales, box and class branches apart,
box sides as distributions over R bins. Ideas: CSPNet (Wang et al. 2020, arXiv:1911.11929), PANet (Liu et al.
2018, arXiv:1803.01534), Generalized Focal Loss (Li et al. 2020, arXiv:2006.04388).

Shapes: B images, C classes, R bins, N anchor points of all scales.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

STRIDES = (8, 16, 32)
BINS = 16  # R


class ConvUnit(nn.Sequential):
    """Convolution, batch norm, SiLU."""

    def __init__(self, c_in: int, c_out: int, kernel: int = 3, stride: int = 1) -> None:
        conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False)
        super().__init__(conv, nn.BatchNorm2d(c_out, momentum=0.03), nn.SiLU(inplace=True))


class Residual(nn.Module):
    def __init__(self, c: int, shortcut: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvUnit(c, c), ConvUnit(c, c))
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.shortcut else self.body(x)


class CrossStage(nn.Module):
    """Half of the channels go through `depth` residual units; every output is kept and mixed at the end."""

    def __init__(self, c_in: int, c_out: int, depth: int, shortcut: bool = True) -> None:
        super().__init__()
        half = c_out // 2
        self.enter = ConvUnit(c_in, 2 * half, 1)
        self.units = nn.ModuleList(Residual(half, shortcut) for _ in range(depth))
        self.leave = ConvUnit((2 + depth) * half, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = list(self.enter(x).chunk(2, 1))
        for unit in self.units:
            kept.append(unit(kept[-1]))
        return self.leave(torch.cat(kept, 1))


class PoolPyramid(nn.Module):
    """Three max pools in a row, all kept: a wide view at the coarsest scale."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.enter, self.leave = ConvUnit(c, c // 2, 1), ConvUnit(2 * c, c, 1)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        kept = [self.enter(x)]
        for _ in range(3):
            kept.append(self.pool(kept[-1]))
        return self.leave(torch.cat(kept, 1))


class Backbone(nn.Module):
    """Features at strides 8, 16 and 32, mixed from coarse to fine and back."""

    def __init__(self, c1: int, c2: int, c3: int, c4: int, c5: int) -> None:
        super().__init__()
        self.to8 = nn.Sequential(
            ConvUnit(3, c1, 3, 2),
            ConvUnit(c1, c2, 3, 2), CrossStage(c2, c2, 1),
            ConvUnit(c2, c3, 3, 2), CrossStage(c3, c3, 2),
        )  # fmt: skip
        self.to16 = nn.Sequential(ConvUnit(c3, c4, 3, 2), CrossStage(c4, c4, 2))
        self.to32 = nn.Sequential(ConvUnit(c4, c5, 3, 2), CrossStage(c5, c5, 1), PoolPyramid(c5))
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.mix16 = CrossStage(c5 + c4, c4, 1, shortcut=False)
        self.mix8 = CrossStage(c4 + c3, c3, 1, shortcut=False)
        self.down16, self.back16 = ConvUnit(c3, c3, 3, 2), CrossStage(c3 + c4, c4, 1, shortcut=False)
        self.down32, self.back32 = ConvUnit(c4, c4, 3, 2), CrossStage(c4 + c5, c5, 1, shortcut=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        f8 = self.to8(x)
        f16 = self.to16(f8)
        f32 = self.to32(f16)
        m16 = self.mix16(torch.cat([self.up(f32), f16], 1))
        o8 = self.mix8(torch.cat([self.up(m16), f8], 1))
        o16 = self.back16(torch.cat([self.down16(o8), m16], 1))
        o32 = self.back32(torch.cat([self.down32(o16), f32], 1))
        return o8, o16, o32


class Detector(nn.Module):
    """forward: (B, 3, H, W) RGB 0..1 -> raw answers (B, 4 R + C, N). `Deployed` makes boxes of them."""

    steps: Tensor  # (1, R, 1, 1), what each bin stands for

    def __init__(
        self, classes: int, widths: tuple[int, int, int, int, int] = (16, 16, 32, 64, 96), head: int = 32
    ) -> None:
        super().__init__()
        self.classes = classes
        self.backbone = Backbone(*widths)
        inner = widths[2:]
        self.box = nn.ModuleList(self._branch(c, head, 4 * BINS) for c in inner)
        self.kind = nn.ModuleList(self._branch(c, head, classes) for c in inner)
        steps = torch.arange(BINS, dtype=torch.float32).view(1, BINS, 1, 1)
        self.register_buffer("steps", steps, persistent=False)
        for branch, stride in zip(self.kind, STRIDES, strict=True):
            few = 5 / classes / (512 / stride) ** 2  # share of points that hold an object: a calm start
            nn.init.constant_(branch[-1].bias, math.log(few))

    @staticmethod
    def _branch(c_in: int, inner: int, c_out: int) -> nn.Sequential:
        return nn.Sequential(ConvUnit(c_in, inner), ConvUnit(inner, inner), nn.Conv2d(inner, c_out, 1))

    def forward(self, x: Tensor) -> Tensor:
        levels = zip(self.backbone(x), self.box, self.kind, strict=True)
        return torch.cat([torch.cat([box(f), kind(f)], 1).flatten(2) for f, box, kind in levels], 2)

    def sides(self, raw: Tensor) -> Tensor:
        """Distances (B, 4, N) left, top, right, bottom in strides: the mean of each side's distribution."""
        bins = raw[:, : 4 * BINS].unflatten(1, (4, BINS)).transpose(1, 2)
        return nn.functional.conv2d(bins.softmax(1), self.steps).squeeze(1)


class Deployed(nn.Module):
    """The detector as shipped: (1, 3, H, W) -> (1, 4 + C, N): centre, size in pixels, probabilities."""

    points: Tensor
    strides: Tensor

    def __init__(self, detector: Detector, size: tuple[int, int]) -> None:
        super().__init__()
        self.detector = detector
        points, strides = anchor_points(size)
        self.register_buffer("points", (points / strides[:, None]).T[None])  # (1, 2, N) in strides
        self.register_buffer("strides", strides[None, None])

    def forward(self, x: Tensor) -> Tensor:
        raw = self.detector(x)
        before, after = self.detector.sides(raw).chunk(2, 1)
        low, high = self.points - before, self.points + after
        boxes = torch.cat([(low + high) / 2, high - low], 1) * self.strides
        return torch.cat([boxes, raw[:, 4 * BINS :].sigmoid()], 1)


def anchor_points(size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Cell centres (N, 2) x y in pixels and the stride of each (N,), finest scale first."""
    points, strides = [], []
    for s in STRIDES:
        y, x = torch.meshgrid(torch.arange(size[0] // s), torch.arange(size[1] // s), indexing="ij")
        points.append((torch.stack([x.flatten(), y.flatten()], 1) + 0.5) * s)
        strides.append(torch.full((x.numel(),), float(s)))
    return torch.cat(points), torch.cat(strides)
