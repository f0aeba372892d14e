"""Which rounding of the weights pays: what each wins back over the nearest integer, and in how many seconds.

    python benchmarks/rounding.py --material MATERIAL                     # resumes where it was stopped

Chosen by the fidelity to the float model's own detections on the calibration images that nothing was
calibrated on; the evaluation images are shown beside it as the outcome. Seconds are of the processor, one
thread, and of the rounding alone: the whole recipe less the same recipe without it. `gptq-apart` is no step
of the library any more: `gptq` as published, every layer fitted to what it reads in the float network.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Any

import numpy as np
from common import arguments, first_line, read_rows, say, write
from held_out import HeldOut, open_subject

from paredown._compress.draft import Draft
from paredown._compress.layerwise.im2col import FEW_BITS, MatmulLayer, im2col, indices, positions
from paredown._compress.layerwise.reconstruction import LayerSamples
from paredown._compress.layerwise.run import LayerwiseRun
from paredown._compress.quantize.rounding import gptq as second_order
from paredown._compress.recipe import Context
from paredown.errors import ParedownError
from paredown.graph.walk import to_ir

BASES = {8: "w8a8-pc-mse", 4: "w4a8-pc-mse-even"}
ROUNDINGS = ("nearest", "gptq-apart", "gptq", "adaround", "gptq+adaround")


def main() -> int:
    """Exit code: 1 where a recipe failed, after all others were tried."""
    parser = arguments(__doc__, "rounding.json", ["resnet20_cifar10", "nanodet_m_320", "yolov5n", "yolov8n"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bits", nargs="+", type=int, choices=BASES, default=list(BASES))
    parser.add_argument("--roundings", nargs="+", default=list(ROUNDINGS))
    args = parser.parse_args()
    rows = read_rows(args.out)
    for name in args.models:
        done = {(row["model"], row["bits"], row["rounding"]) for row in rows}
        wanted = [(b, r) for b in args.bits for r in args.roundings if (name, b, r) not in done]
        if not wanted:
            continue
        subject = open_subject(args.material, name, args.images, args.threads)
        for bits, rounding in wanted:
            rows.append(
                {"model": name, "bits": bits, "rounding": rounding, **_row(args, subject, bits, rounding)}
            )
            say(str(rows[-1]))
            write(args.out, rows, args.threads)
    return int(any("error" in row for row in rows))


def _row(args: argparse.Namespace, subject: HeldOut, bits: int, rounding: str) -> dict[str, Any]:
    """The recipe's figures, or its error."""
    step = rounding.replace("gptq-apart", "gptq")
    recipe = BASES[bits] if rounding == "nearest" else f"{BASES[bits]}+{step}"
    try:
        with patched(apart) if step != rounding else nullcontext():
            made, seconds = subject.compress(recipe)
    except ParedownError as error:
        return {"error": first_line(error, args.material)}
    counts = {"images": len(subject.calibration), "rest": len(subject.sets["rest"].images)}
    judged = {"judged": len(subject.sets["eval"].images)}
    return {"recipe": recipe, "cpu_s": seconds, **subject.judge(made.model), **counts, **judged}


def apart(draft: Draft, layers: Sequence[MatmulLayer], context: Context) -> Iterator[LayerSamples]:
    """In place of `layer_samples`: every layer by itself, reading and answering as in the float network."""
    at = positions(layers, FEW_BITS, context.seed)
    images, asked = islice(context.images(), FEW_BITS.images), [layer.source for layer in layers]
    run = LayerwiseRun(to_ir(draft.float_model), asked, images, context.threads)
    for layer, place in zip(layers, at, strict=True):
        where = indices(layer, place)
        real = np.concatenate([im2col(where, x, 0.0) for x in run.to(layer.source)])
        read = np.clip(np.rint(real / layer.scale) + layer.zero, layer.low, layer.high).astype(np.int16)
        rows = layer.rows(layer.found.unrounded)
        wanted = np.einsum("ngk,gok->ngo", read.astype(np.float32) - layer.zero, rows, optimize=True)
        yield LayerSamples(layer, read, wanted, np.zeros(wanted.shape[1:], np.bool_))


@contextmanager
def patched(function: Callable[..., Iterator[LayerSamples]]) -> Iterator[None]:
    """`gptq` on other samples."""
    before = second_order.layer_samples
    second_order.layer_samples = function
    try:
        yield
    finally:
        second_order.layer_samples = before


if __name__ == "__main__":
    sys.exit(main())
