"""Experiment B: a promptable model of SAM's structure, quantized: masks, stability, size; time and memory.

    python tools/train_promptable.py --out build/promptable --data 40
    python benchmarks/promptable.py build/promptable                        # accuracy of the trained network
    python benchmarks/promptable.py --sizes --threads 1                     # time and memory at SAM's sizes

The first network is trained on drawn scenes and says nothing of SAM's accuracy. The second is a plain ViT-
Ti/16 of 1024 pixels and a decoder of SAM's widths (embeddings 256 x 64 x 64, 8 heads, 2048), its weights
random; its times need a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from common import HERE, RESULTS

import paredown
from paredown._measure.environment import environment
from paredown.hosts import open_host
from paredown.model import Model
from paredown.sample import Dataset

RECIPES = (
    "ort-dynamic",
    "int8-dynamic",
    "int8-weights",
    "int8",
    "encoder+int8",
    "decoder+int8",
    "encoder+int8+decoder+int8-dynamic",
)
JUDGED, SIZED = ["map"], ["latency", "memory"]
FIGURES = (
    "size_bytes",
    "prompt_miou",
    "box_miou",
    "point_miou",
    "moved_miou",
    "prompt_spread",
    "fidelity_prompt_miou",
    "prompt_miou_drop",
    "latency_s",
    "latency_ratio",
    "memory_bytes",
)


def rows(card: Path, data: Dataset, calib: Dataset, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The figures of the float model, then of each recipe; a recipe that fails with its error."""
    model = paredown.load(card, calib)
    what = SIZED if args.sizes else JUDGED
    for recipe in ("float", *args.recipes):
        try:
            made = _made(model, recipe, calib, args.threads)
            beside = None if recipe == "float" else model
            measured = paredown.measure(made, data, baseline=beside, what=what, threads=args.threads)
        except paredown.errors.ParedownError as error:
            yield {"recipe": recipe, "error": str(error)}
            continue
        found = {q.name: (q.value, q.low, q.high) for q in measured.quantities if q.name in FIGURES}
        yield {"recipe": recipe, **found, "doubts": [d.text for d in measured.doubts]}


def _made(model: Model, recipe: str, calib: Dataset, threads: int) -> Model:
    if recipe == "float":
        return model
    return paredown.compress(model, recipe, calib, threads=threads).model


def at_sam_sizes(folder: Path) -> Path:
    """The card of a network of random weights with SAM's sizes."""
    import torch
    from promptable_network import Decoder, Encoder, Shape, export

    torch.manual_seed(0)
    shape = Shape(side=1024, patch=16, width=192, depth=12, heads=3, embed=256, decoder_heads=8, mlp=2048)
    return export(Encoder(shape), Decoder(shape), shape, folder)


def line(row: dict[str, Any]) -> str:
    """The row as a line of text."""
    if "error" in row:
        return f"{row['recipe']:36} {row['error'].splitlines()[0]}"
    shown = (f"{name} {row[name][0]:.4g}" for name in FIGURES if name in row)
    return f"{row['recipe']:36} {', '.join(shown)}"


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 1 where a recipe failed, after all others were tried."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="what tools/train_promptable.py --data wrote")
    parser.add_argument("--sizes", action="store_true", help="time and memory of random weights instead")
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="default: results/promptable.json, promptable_sizes.json")
    args = parser.parse_args(argv)
    if (args.folder is None) != args.sizes:
        parser.error("name the folder of a trained network, or --sizes")
    sys.path.append(str(HERE.parent / "tools"))
    with tempfile.TemporaryDirectory(prefix="paredown-") as made:
        if args.sizes:
            from promptable_scenes import scenes

            card, data, calib = at_sam_sizes(Path(made)), scenes(2, 9, (683, 1024)), scenes(2, 8, (683, 1024))
        else:
            card = args.folder / "card.toml"
            data, calib = (paredown.read_dataset(args.folder / name) for name in ("eval", "calib"))
        found = []
        for row in rows(card, data, calib, args):
            found.append(row)
            sys.stdout.write(line(row) + "\n")
            sys.stdout.flush()
    out = args.out or RESULTS / ("promptable_sizes.json" if args.sizes else "promptable.json")
    surroundings = dict(environment(open_host(), args.threads))
    out.write_text(json.dumps({"environment": surroundings, "rows": found}, indent=1, default=str) + "\n")
    return int(any("error" in row for row in found))


if __name__ == "__main__":
    sys.exit(main())
