"""A tiny promptable model in two files, untrained, and drawn scenes to ask it about."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).parents[1] / "tools"


def tool(name: str):
    """A module of tools/, where they import each other by their plain names."""
    if str(TOOLS) not in sys.path:
        sys.path.append(str(TOOLS))
    return __import__(name)


@dataclass(frozen=True)
class Pair:
    """card: names encoder.onnx and decoder.onnx beside it. data, calib: COCO data sets with masks."""

    card: Path
    data: Path
    calib: Path


def write_pair(folder: Path) -> Path:
    """The card of an untrained pair of 48 x 48 pixels."""
    import torch

    network = tool("promptable_network")
    torch.manual_seed(3)
    shape = network.Shape(side=48, patch=8, width=24, depth=1, heads=2, embed=32, decoder_heads=2, mlp=32)
    return network.export(network.Encoder(shape), network.Decoder(shape), shape, folder)


def write_scenes(folder: Path, n: int, seed: int) -> Path:
    """n scenes of 40 x 48 pixels."""
    return tool("promptable_scenes").write_coco(folder, n, seed, (40, 48))
