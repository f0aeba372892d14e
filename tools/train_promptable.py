"""Trains a small promptable network of SAM's structure on drawn scenes and exports it in two files.

    python tools/train_promptable.py --out build/promptable --data 40       # a quarter of an hour on one core
    python tools/train_promptable.py --out build/promptable --steps 600     # quick and poor: see below

Needs `pip install 'paredown[train]'`. Writes encoder.onnx, decoder.onnx, a card.toml that names them,
and with --data N scenes to calibrate and judge on, as COCO data sets. SAM's own weights are not at hand: this
is for the code, the shapes and the exports, and says nothing about SAM's accuracy. After 600 steps the mIoU
over prompts is 0.45, and the masks follow the prompt more than the image.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from promptable_network import Decoder, Encoder, Shape, export
from promptable_scenes import box_of, scene, write_coco
from torch import Tensor
from torch.nn import functional as F

MEAN, STD = (np.array(v, np.float32) for v in ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)))
TRAINING, CALIBRATION, EVALUATION = 1, 800_000, 900_000  # seeds, apart from each other


def batch(rng: np.random.Generator, size: int, side: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Images (B, 3, side, side), points (B, 2, 2), labels (B, 2), masks (B, side, side), boxes asked (B,)."""
    images, points, labels, masks, boxed = [], [], [], [], []
    while len(images) < size:
        rows = int(rng.choice([side, side * 5 // 6]))  # as often with a border below as without one
        picture, found = scene(int(rng.integers(1, 700_000_000)), rows, side)
        if not found:
            continue
        below = ((0, side - rows), (0, 0))
        mask = np.pad(found[int(rng.integers(len(found)))], below)
        by_box = bool(rng.random() < 0.5)
        images.append(np.pad((picture - MEAN) / STD, (*below, (0, 0))).transpose(2, 0, 1))
        points.append(_box(mask, rng) if by_box else _point(mask, rng))
        labels.append((2.0, 3.0) if by_box else (1.0, -1.0))
        masks.append(mask)
        boxed.append(by_box)
    stacked = (np.stack(a).astype(np.float32) for a in (images, points, labels, masks))
    x, p, q, m = (torch.from_numpy(a) for a in stacked)
    return x, p, q, m, torch.tensor(boxed)


def _box(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64]:
    """The corners, each moved by a tenth of the box's length, as SAM was trained."""
    box = np.array(box_of(mask), float)
    lengths = np.tile(box[2:] - box[:2], 2)
    return (box + np.clip(rng.normal(0, 0.1, 4), -0.3, 0.3) * lengths).reshape(2, 2)


def _point(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64]:
    """Half the time the innermost point, else any point of the object, and a place for none."""
    depth = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    inner = np.argwhere(depth == depth.max()) if rng.random() < 0.5 else np.argwhere(mask)
    row, column = inner[int(rng.integers(len(inner)))]
    return np.array([[column + 0.5, row + 0.5], [0.0, 0.0]])


def loss(low: Tensor, fits: Tensor, masks: Tensor, boxed: Tensor) -> tuple[Tensor, Tensor]:
    """The loss, and the mean IoU of the masks that count: the first for a box, the best of the others for a
    point. Cross entropy and dice, and the squared error of the guessed IoU."""
    wanted = F.interpolate(masks[:, None], low.shape[-2:], mode="area").expand_as(low)
    cross = F.binary_cross_entropy_with_logits(low, wanted, reduction="none").mean((2, 3))
    p = low.sigmoid()
    dice = 1 - (2 * (p * wanted).sum((2, 3)) + 1) / (p.sum((2, 3)) + wanted.sum((2, 3)) + 1)
    each = cross + 2 * dice
    with torch.no_grad():
        said, true = low > 0, wanted > 0.5
        iou = (said & true).sum((2, 3)) / (said | true).sum((2, 3)).clamp(min=1)
    best = torch.where(boxed, 0, 1 + each[:, 1:].argmin(1))
    rows = torch.arange(len(low))
    total = each[rows, best].mean() + (fits - iou).pow(2).mean()
    return total, iou[rows, best].mean()


def train(shape: Shape, steps: int, size: int, seed: int, say: bool = True) -> tuple[Encoder, Decoder]:
    """The two parts after so many steps."""
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, TRAINING])
    encoder, decoder = Encoder(shape), Decoder(shape)
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=1e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=0.1)
    low, begun = 4 * shape.cells, time.monotonic()
    none = torch.zeros(size, 1, low, low), torch.zeros(1)
    for step in range(steps):
        x, points, labels, masks, boxed = batch(rng, size, shape.side)
        value, iou = loss(*decoder(encoder(x), points, labels, *none), masks, boxed)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        if say and (step + 1) % 50 == 0:
            seconds = time.monotonic() - begun
            sys.stderr.write(f"step {step + 1} {seconds:4.0f} s  loss {value:.3f}  IoU {iou:.3f}\n")
    return encoder, decoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=int, default=0, help="scenes to calibrate and to judge on, each")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    shape = Shape()
    card = export(*train(shape, options.steps, options.batch, options.seed), shape, options.out)
    for name, seed in (("calib", CALIBRATION), ("eval", EVALUATION)) if options.data else ():
        write_coco(options.out / name, options.data, seed)
    sys.stdout.write(f"{card}\n")


if __name__ == "__main__":
    main()
