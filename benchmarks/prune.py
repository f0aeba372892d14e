"""What structured pruning costs and brings: MACs, points lost, latency, minutes, with and without recovery.

    python benchmarks/prune.py --material MATERIAL                        # resumes where it was stopped
    python benchmarks/prune.py --models resnet20_cifar10 --recipes prune40-l1 prune40-taylor

All calibration images are learned from, without their labels; the others judge. Minutes are those of the
clock and those that all threads together computed: on a busy machine the clock runs ahead.
"""

from __future__ import annotations

import sys

from making import make_rows, parser

RECIPES = {
    "resnet20_cifar10": (
        "prune40-l1",
        "prune40-taylor",
        "prune40-taylor+distill-steps6000-rate0.004",
        "prune20-taylor+distill-steps3000-rate0.004+prune25-taylor+distill-steps6000-rate0.004",
    ),
    "yolov5n": ("prune25-taylor", "prune25-taylor+distill"),
}


def main() -> int:
    """Exit code: 1 where a recipe failed, after all others were tried."""
    return make_rows(parser(__doc__, "prune.json", RECIPES).parse_args(), RECIPES)


if __name__ == "__main__":
    sys.exit(main())
