"""Trains the detector that `paredown demo` embeds, from scratch, on scenes drawn from a seed.

    python tools/train_demo_detector.py                 # what made the committed file
    python tools/train_demo_detector.py --epochs 60     # longer, better
    python tools/train_demo_detector.py --minutes 5 --out /tmp/quick.onnx

Needs `pip install 'paredown[train]'`. Writes the ONNX file and, beside it, a TOML record of how it came
about. Scenes are drawn once and kept in --cache. An epoch of 5000 scenes takes about 1.5 minutes on one core
that knows bfloat16.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import json
import math
import os
import platform
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from demo_judge import CONTENT, INPUT, PAD, Pairs, dataset_pairs, measure, truth
from demo_loss import Truths, loss
from demo_network import STRIDES, Deployed, Detector, anchor_points
from numpy.typing import NDArray

from paredown.demo import SELECTION_SEED, TRAINING_SEED, evaluation_set, model_path
from paredown.demo.scenes import CLASSES, scenes

CANVAS = (256, 320)  # what is trained on: the smallest multiple of the coarsest stride that holds a scene


@dataclass(frozen=True)
class Rendered:
    """Scenes at the model's scale: images (S, 240, 320, 3) uint8, each with boxes (n, 4), classes (n,)."""

    images: NDArray[np.uint8]
    boxes: list[NDArray[np.float32]]
    classes: list[NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.images)


def render(count: int, seed: int, cache: Path) -> Rendered:
    """The scenes, from the cache where it has them."""
    file = cache / f"scenes-{seed}-{count}.npz"
    if not file.exists():
        images = np.empty((count, *CONTENT, 3), np.uint8)
        labels = []
        chunk = 100  # a data set keeps its pictures; small ones are let go
        say(f"drawing {count} scenes")
        for first in range(0, count, chunk):
            part = scenes(min(chunk, count - first), seed, first=first)
            for i, sample in enumerate(part):
                images[first + i] = cv2.resize(sample.read(), CONTENT[::-1], interpolation=cv2.INTER_LINEAR)
                labels.append(truth(sample.truth))
        scale = CONTENT[1] / 512
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(
            file,
            images=images,
            counts=[len(t.classes) for t in labels],
            boxes=np.concatenate([t.boxes * scale for t in labels]),
            classes=np.concatenate([t.classes for t in labels]),
        )
    held = np.load(file)
    ends = np.cumsum(held["counts"])[:-1]
    return Rendered(held["images"], np.split(held["boxes"], ends), np.split(held["classes"], ends))


def batch(data: Rendered, which: NDArray[np.int64], rng: np.random.Generator) -> tuple[torch.Tensor, Truths]:
    """Pictures (B, 3, 256, 320) and truths: mirrored, moved in the canvas, exposed a little differently."""
    images = np.full((len(which), *CANVAS, 3), PAD, np.uint8)
    most = max(1, max(len(data.classes[i]) for i in which))
    boxes = np.zeros((len(which), most, 4), np.float32)
    classes = np.zeros((len(which), most), np.int64)
    real = np.zeros((len(which), most), bool)
    for row, i in enumerate(which):
        picture, found = data.images[i], data.boxes[i].copy()
        if rng.random() < 0.5:
            picture = picture[:, ::-1]
            found[:, [0, 2]] = CONTENT[1] - found[:, [2, 0]]
        down = int(rng.integers(0, CANVAS[0] - CONTENT[0] + 1))
        images[row, down : down + CONTENT[0]] = cv2.convertScaleAbs(picture, alpha=rng.uniform(0.85, 1.15))
        n = len(found)
        boxes[row, :n] = found + np.array((0, down, 0, down), np.float32)
        classes[row, :n], real[row, :n] = data.classes[i], True
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    x = x.contiguous(memory_format=torch.channels_last)
    return x, Truths(torch.from_numpy(boxes), torch.from_numpy(classes), torch.from_numpy(real))


class Averaged:
    """An exponential moving average of a model's weights, quick at first."""

    def __init__(self, model: Detector) -> None:
        self.model = copy.deepcopy(model).eval()
        self.steps = 0

    @torch.no_grad()
    def take(self, model: Detector) -> None:
        self.steps += 1
        keep = 0.999 * (1 - math.exp(-self.steps / 300))
        for mine, theirs in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - keep)


def train(data: Rendered, held_out: Rendered, options: argparse.Namespace) -> tuple[Detector, float]:
    """The averaged detector and the epochs it saw."""
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    model = Detector(len(CLASSES)).to(memory_format=torch.channels_last)
    average = Averaged(model)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.03}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0)
    begun, epoch, share = time.monotonic(), 0, 0.0
    while share < 1:
        sums, steps = torch.zeros(3), 0
        for at, which in enumerate(batches(len(data), options.batch, rng)):
            share = (epoch + at * options.batch / len(data)) / options.epochs
            if options.minutes:
                share = max(share, (time.monotonic() - begun) / (60 * options.minutes))
            if share >= 1:
                break
            set_rate(optimizer, options.rate, share, average.steps)
            sums += step(model, optimizer, *batch(data, which, rng), options.bfloat16)
            average.take(model)
            steps += 1
        epoch += 1
        share = max(share, epoch / options.epochs)
        box, kind, bins = (sums / max(steps, 1)).tolist()
        seconds = time.monotonic() - begun
        say(f"epoch {epoch:3d}  {seconds:5.0f} s  box {box:.3f}  class {kind:.3f}  bins {bins:.3f}")
        if options.check and epoch % options.check == 0:
            export(average.model, options.out)
            score = measure(options.out, rendered_pairs(held_out)).map50_95
            say(f"  mAP50-95 {score:.3f} on the scenes for selection")
    return average.model, average.steps * options.batch / len(data)


def batches(count: int, size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """All indices in a random order, in parts of one size; the rest is left out."""
    order = rng.permutation(count)
    return [order[at : at + size] for at in range(0, count - size + 1, size)]


def set_rate(optimizer: torch.optim.Optimizer, highest: float, share: float, steps: int) -> None:
    """Warm-up over 200 steps, then half a cosine down to a fiftieth."""
    rate = highest * (0.02 + 0.98 * (1 + math.cos(math.pi * share)) / 2) * min(1.0, (steps + 1) / 200)
    for group in optimizer.param_groups:
        group["lr"] = rate


def step(
    model: Detector, optimizer: torch.optim.Optimizer, x: torch.Tensor, truths: Truths, bfloat16: bool
) -> torch.Tensor:
    """One step of training; the parts of the loss."""
    model.train()
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        raw = model(x)
    value, parts = loss(model, raw, *anchor_points(CANVAS), truths)
    optimizer.zero_grad(set_to_none=True)
    value.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
    optimizer.step()
    return parts


def rendered_pairs(data: Rendered) -> Pairs:
    return list(zip(data.images, data.boxes, data.classes, strict=True))


def export(model: Detector, file: Path) -> None:
    """Writes the ONNX file: batch norms folded, boxes and probabilities in one output, with metadata."""
    plain = Deployed(copy.deepcopy(model).to(memory_format=torch.contiguous_format), INPUT).eval()
    temporary = file.with_suffix(".tmp")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the newer exporter needs one more package
        torch.onnx.export(
            plain, (torch.zeros(1, 3, *INPUT),), str(temporary), opset_version=17, dynamo=False,
            input_names=["images"], output_names=["output0"],
        )  # fmt: skip
    graph = onnx.load(temporary)
    names = dict(enumerate(CLASSES))
    for key, value in {
        "description": "Paredown demo detector", "license": "Apache-2.0", "task": "detect",
        "names": repr(names), "stride": str(max(STRIDES)), "imgsz": repr(list(INPUT)), "batch": "1",
    }.items():  # fmt: skip
        graph.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(graph)
    onnx.save(graph, temporary)
    os.replace(temporary, file)


def record(options: argparse.Namespace, epochs: float, seconds: float, parameters: int) -> None:
    """Writes the TOML beside the model: everything needed to make it again and what it scored."""
    judged = dataset_pairs(evaluation_set())
    score = measure(options.out, judged)
    say(f"mAP50-95 {score.map50_95:.4f}, mAP50 {score.map50:.4f} on {len(judged)} held-out scenes")
    arguments = f"--epochs {options.epochs} --scenes {options.scenes} --seed {options.seed}"
    if options.minutes:
        arguments += f" --minutes {options.minutes:g}"
    processor = f"{platform.machine()} CPU, threads used: {options.threads}"
    facts: dict[str, object] = {
        "command": f"python tools/train_demo_detector.py {arguments}",
        "date": datetime.date.today().isoformat(),
        "machine": f"{processor}, torch {torch.__version__}",
        "seed": options.seed,
        "epochs": round(epochs, 1),
        "scenes": options.scenes,
        "training_seconds": round(seconds),
        "parameters": parameters,
        "bytes": options.out.stat().st_size,
        "classes": list(CLASSES),
        "input": list(INPUT),
        "evaluation_scenes": len(judged),
        "map50_95": round(score.map50_95, 4),
        "map50": round(score.map50, 4),
    }
    lines = ["# How detector.onnx came about. Written by tools/train_demo_detector.py."]
    lines += [f"{key} = {json.dumps(value)}" for key, value in facts.items()]
    options.out.with_suffix(".toml").write_text("\n".join(lines) + "\n")


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--minutes", type=float, default=0, help="stop after this long; the schedule fits")
    parser.add_argument("--scenes", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--check", type=int, default=2, help="epochs between checks on the scenes for selection"
    )
    parser.add_argument("--bfloat16", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--cache", type=Path, default=Path("build/demo-scenes"))
    parser.add_argument("--out", type=Path, default=model_path())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    data = render(options.scenes, TRAINING_SEED, options.cache)
    held_out = render(200, SELECTION_SEED, options.cache)
    begun = time.monotonic()
    model, epochs = train(data, held_out, options)
    export(model, options.out)
    record(options, epochs, time.monotonic() - begun, sum(p.numel() for p in model.parameters()))


if __name__ == "__main__":
    main()
