"""How the constants of the library were chosen: one is varied at a time, all others as they stand.

    python benchmarks/constants.py --material MATERIAL                    # resumes where it was stopped
    python benchmarks/constants.py --constants DAMPING RIDGE --models resnet20_cifar10

Judged by the fidelity to the float model's own answers, on the calibration images that nothing was calibrated
on. The evaluation images have no part in it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from common import arguments, first_line, read_rows, say, write
from held_out import HeldOut, open_subject

from paredown import data
from paredown._compress.layerwise.im2col import FEW_BITS, Draw
from paredown.errors import ParedownError

COMPRESS = "paredown._compress"
QUANTIZE = f"{COMPRESS}.quantize"
GPTQ = f"{QUANTIZE}.rounding.gptq"


@dataclass(frozen=True)
class Constant:
    """One constant: where it stands, the values tried, and the recipe in which it shows.

    made: from a value to what takes the constant's place, where that is not the value itself.
    """

    module: str
    name: str
    values: tuple[float, ...]
    recipe: str
    made: Callable[[float], Any] = float


def _power(exponent: float) -> Callable[[Any], Any]:
    return lambda distance: distance**exponent


def _images(count: float) -> Draw:
    return replace(FEW_BITS, images=int(count))


CONSTANTS: dict[str, Constant] = {
    "exponent": Constant(
        "paredown.numerics.ranges", "penalty", (2, 2.5, 3, 3.5, 4), "cle+w8a8-pc-mse", _power
    ),
    "LOW_MARGIN": Constant(
        f"{QUANTIZE}.ranges.choose", "LOW_MARGIN", (0, 0.125, 0.25, 0.5), "cle+w8a8-pc-mse"
    ),
    "BUDGET": Constant(
        f"{QUANTIZE}.sensitivity.guard", "BUDGET", (0.01, 0.02, 0.05, 0.1), "cle+gates+w8a8-pc-mse-guard"
    ),
    "SMALL_SHARE": Constant(
        f"{QUANTIZE}.placement.widths", "SMALL_SHARE", (0, 0.04, 0.08, 0.16), "w4a8-pc-mse-even+gptq"
    ),
    "DAMPING": Constant(GPTQ, "DAMPING", (0.01, 0.03, 0.1, 0.3), "w4a8-pc-mse-even+gptq"),
    "FEW_BITS": Constant(
        f"{COMPRESS}.layerwise.reconstruction",
        "FEW_BITS",
        (8, 16, 32, 64, 192),
        "cle+w4a8-pc-mse-even-guard+gptq",
        _images,
    ),
    "RIDGE": Constant(GPTQ, "RIDGE", (0.1, 0.3, 1, 3, 10), "w4a8-pc-mse-even+gptq"),
}
"""By the name on the command line. Beside them stands `images`, which is no constant: how many calibrate."""

IMAGES = (12, 25, 50, 100)
IMAGES_RECIPE = "cle+w8a8-pc-mse"


def main() -> int:
    """Exit code: 1 where a trial failed, after all others were tried."""
    models = ["resnet20_cifar10", "nanodet_m_320", "yolox_nano", "yolov5n"]
    parser = arguments(__doc__, "constants.json", models)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--constants", nargs="+", choices=[*CONSTANTS, "images"], default=[*CONSTANTS, "images"]
    )
    args = parser.parse_args()
    rows = read_rows(args.out)
    for name in args.models:
        done = {(row["model"], row["constant"], row["value"]) for row in rows}
        todo = [(c, v) for c in args.constants for v in _values(c) if (name, c, v) not in done]
        if not todo:
            continue
        subject = open_subject(args.material, name, args.images, args.threads, sets=("rest",))
        for constant, value in todo:
            row = {"model": name, "constant": constant, "value": value}
            rows.append({**row, **_trial(args, subject, constant, value)})
            say(str(rows[-1]))
            write(args.out, rows, args.threads)
    return int(any("error" in row for row in rows))


def _values(constant: str) -> tuple[float, ...]:
    return IMAGES if constant == "images" else CONSTANTS[constant].values


def _trial(args: argparse.Namespace, subject: HeldOut, constant: str, value: float) -> dict[str, Any]:
    """The figures with the constant at this value, or the error."""
    try:
        if constant == "images":
            made, seconds = subject.compress(IMAGES_RECIPE, data.sample(subject.calibration, int(value)))
            default = value == args.images
        else:
            with varied(CONSTANTS[constant], value) as default:
                made, seconds = subject.compress(CONSTANTS[constant].recipe)
    except ParedownError as error:
        return {"error": first_line(error, args.material)}
    float_nodes = sum(r.action == "float" for r in made.log)
    return {
        "recipe": made.recipe.name,
        "default": default,
        "cpu_s": seconds,
        "left_float": float_nodes,
        "rest": len(subject.sets["rest"].images),
        **subject.judge(made.model),
    }


@contextmanager
def varied(constant: Constant, value: float) -> Iterator[bool]:
    """The constant at another value for a while. Gives whether that is the one it has."""
    module = import_module(constant.module)
    before = getattr(module, constant.name)
    now = constant.made(value)
    setattr(module, constant.name, now)
    try:
        yield _same(before, now)
    finally:
        setattr(module, constant.name, before)


def _same(a: Any, b: Any) -> bool:
    """Equal, or functions that agree."""
    return bool(abs(a(1.7) - b(1.7)) < 1e-9) if callable(a) else bool(a == b)


if __name__ == "__main__":
    sys.exit(main())
