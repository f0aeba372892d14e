"""What learning brings: points lost with and without it, size, minutes.

    python benchmarks/learn.py --material MATERIAL                        # resumes where it was stopped
    python benchmarks/learn.py --models resnet20_cifar10 --recipes w4a4-pc-mse-ends+gptq+qat

Each recipe is judged beside itself without its `qat` step. Labels are used to judge and never to learn.
Minutes are those of the clock and those that all threads together computed.
"""

from __future__ import annotations

import sys

from making import make_rows, parser

from paredown._compress.presets import PRESETS

DETECTORS = ("int8-qat", "int4-qat")
RECIPES = {
    "resnet20_cifar10": (
        "w4a4-pc-mse-ends+gptq+qat",
        "w2a8-pc-mse-all+qat",
        "w1a8-pc-mse-ends+qat",
        "w1a4-pc-mse-ends+qat",
        "xnor+qat",
    ),
    "yolox_nano": DETECTORS[:1],
    "yolov8n": DETECTORS[1:],
    "yolov5n": DETECTORS[1:],
}


def main() -> int:
    """Exit code: 1 where a recipe failed, after all others were tried."""
    args = parser(__doc__, "learn.json", RECIPES).parse_args()
    asked = {name: args.recipes or RECIPES[name] for name in args.models}
    args.recipes = None
    return make_rows(args, {name: [*some, *map(_plain, some)] for name, some in asked.items()})


def _plain(recipe: str) -> str:
    """The recipe without what it learns."""
    spelled = PRESETS[recipe][0] if recipe in PRESETS else recipe
    return "+".join(step for step in spelled.split("+") if not step.startswith("qat"))


if __name__ == "__main__":
    sys.exit(main())
