"""The training loss of the demo's detector: task-aligned assignment, then BCE, CIoU and DFL.

Sources: TOOD (Feng et al. 2021, arXiv:2108.07755), the alignment metric t = s^a u^b and its normalization;
CIoU (Zheng et al. 2020, arXiv:1911.08287); Generalized Focal Loss (Li et al. 2020, arXiv:2006.04388), DFL.

Shapes: B images, M truths (padded), N anchor points, C classes, R bins. Boxes are x1 y1 x2 y2 in pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from demo_network import BINS, Detector
from torch import Tensor
from torch.nn import functional

TOP = 9  # anchor points per truth
SCORE_POWER, IOU_POWER = 0.5, 5.0
BOX_WEIGHT, CLASS_WEIGHT, BINS_WEIGHT = 6.0, 1.0, 1.2


@dataclass(frozen=True)
class Truths:
    """boxes (B, M, 4), classes (B, M), real (B, M): False where padded."""

    boxes: Tensor
    classes: Tensor
    real: Tensor


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4) that broadcast."""
    wh_a, wh_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    shared = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    overlap = shared.clamp(0).prod(-1)
    return overlap / (wh_a.prod(-1) + wh_b.prod(-1) - overlap + 1e-7)


def ciou(a: Tensor, b: Tensor) -> Tensor:
    """Complete IoU: less the distance of the centres and the difference in shape."""
    plain = iou(a, b)
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    apart = ((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) ** 2).sum(-1) / 4
    wh_a, wh_b = (a[..., 2:] - a[..., :2]).clamp(1e-4), (b[..., 2:] - b[..., :2]).clamp(1e-4)
    slant_a, slant_b = torch.atan(wh_a[..., 0] / wh_a[..., 1]), torch.atan(wh_b[..., 0] / wh_b[..., 1])
    v = 4 / math.pi**2 * (slant_a - slant_b) ** 2
    with torch.no_grad():
        alpha = v / (1 - plain + v + 1e-7)
    return plain - apart / ((hull**2).sum(-1) + 1e-7) - alpha * v


@torch.no_grad()
def assign(scores: Tensor, boxes: Tensor, points: Tensor, truths: Truths) -> tuple[Tensor, Tensor]:
    """Which truth each anchor point answers for (B, N), -1 for none, and what it should score (B, N)."""
    x, y = points[:, 0], points[:, 1]
    t = truths.boxes[..., None]  # (B, M, 4, 1)
    inside = (x > t[:, :, 0]) & (x < t[:, :, 2]) & (y > t[:, :, 1]) & (y < t[:, :, 3])
    inside &= truths.real[..., None]
    overlap = iou(boxes[:, None], truths.boxes[:, :, None]) * inside  # (B, M, N)
    of_class = scores.transpose(1, 2).gather(1, truths.classes[..., None].expand(-1, -1, scores.shape[1]))
    fit = of_class**SCORE_POWER * overlap**IOU_POWER * inside
    # A tiny lead for points near the centre decides while every overlap is still zero.
    near = (x - (t[:, :, 0] + t[:, :, 2]) / 2) ** 2 + (y - (t[:, :, 1] + t[:, :, 3]) / 2) ** 2
    best = (fit + 1e-9 / (1 + near)).masked_fill(~inside, -1).topk(TOP, -1)
    chosen = torch.zeros_like(inside).scatter_(2, best.indices, best.values > 0)
    claimed = overlap.masked_fill(~chosen, -1)
    value, owner = claimed.max(1)  # a point that several truths want goes to the one it overlaps most
    taken = value >= 0
    owned = chosen & (owner[:, None] == torch.arange(t.shape[1])[:, None])
    fit, overlap = fit * owned, overlap * owned
    quality = fit / (fit.amax(-1, keepdim=True) + 1e-9) * overlap.amax(-1, keepdim=True)
    return torch.where(taken, owner, -1), quality.amax(1)


def loss(
    model: Detector, raw: Tensor, points: Tensor, strides: Tensor, truths: Truths
) -> tuple[Tensor, Tensor]:
    """The loss to minimise and its three parts (box, class, bins), detached."""
    raw = raw.float()
    kinds = raw[:, 4 * BINS :].transpose(1, 2)  # (B, N, C)
    sides = model.sides(raw).transpose(1, 2) * strides[:, None]
    boxes = torch.cat([points - sides[..., :2], points + sides[..., 2:]], -1)
    owner, quality = assign(kinds.detach().sigmoid(), boxes.detach(), points, truths)
    image, point = torch.nonzero(owner >= 0, as_tuple=True)
    which = owner[image, point]
    weight = quality[image, point]
    total = weight.sum().clamp(1.0)

    wanted = torch.zeros_like(kinds)
    wanted[image, point, truths.classes[image, which]] = weight
    class_loss = functional.binary_cross_entropy_with_logits(kinds, wanted, reduction="sum") / total
    target = truths.boxes[image, which]
    box_loss = ((1 - ciou(boxes[image, point], target)) * weight).sum() / total

    to_sides = (
        torch.cat([points[point] - target[:, :2], target[:, 2:] - points[point]], 1) / strides[point, None]
    )
    to_sides = to_sides.clamp(0, BINS - 1.01)
    low = to_sides.floor().long()
    up = to_sides - low
    logs = raw[image, : 4 * BINS, point].view(-1, 4, BINS).log_softmax(-1)
    picked = logs.gather(2, torch.stack([low, low + 1], -1))
    bins_loss = (-(picked[..., 0] * (1 - up) + picked[..., 1] * up).mean(1) * weight).sum() / total
    parts = torch.stack([box_loss, class_loss, bins_loss])
    return (parts * torch.tensor([BOX_WEIGHT, CLASS_WEIGHT, BINS_WEIGHT])).sum(), parts.detach()
