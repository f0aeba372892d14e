"""What weights of 4 bits cost: fitted levels beside even ones, points lost, file, latency beside our INT8.

    python benchmarks/int4.py --material MATERIAL                         # resumes where it was stopped

Latency beside INT8 is timed interleaved, the file of this row against the `int8` file of the same model.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from common import HERE
from making import make_rows, parser

from paredown._compress.presets import PRESETS
from paredown._measure.timing.latency import measure_latency
from paredown.model import Model
from paredown.targets import target

MODELS = ("yolov8n", "yolov5n", "nanodet_m_416", "yolo_fastest_1_1_xl", "yolox_nano", "resnet20_cifar10")
FITTED = PRESETS["int4"][0]
RECIPES = ("int8", FITTED.replace("w4a8-pc-mse", "w4a8-pc-mse-even"), FITTED)


def main() -> int:
    """Exit code: 1 where a recipe failed, after all others were tried."""
    made = parser(__doc__, "int4.json", MODELS)
    made.set_defaults(work=HERE.parent / "runs" / "int4")
    args = made.parse_args()

    def beside_int8(model: Model, source: Model) -> dict[str, Any]:
        """The file as a part of FP32's, and its latency as a part of INT8's."""
        found: dict[str, Any] = {"size_ratio": len(model.data) / len(source.data)}
        reference = args.work / f"{source.name}-int8.onnx"  # made before, in this run or an earlier one
        if model is source or model.data == reference.read_bytes():
            return found
        with tempfile.TemporaryDirectory(prefix="paredown-") as folder:
            file = Path(folder) / "few_bits.onnx"
            file.write_bytes(model.data)
            image = np.random.default_rng(0).random(source.inputs[0].shape, np.float32)
            feeds = {source.inputs[0].name: image}
            timed, _, doubts = measure_latency(file, reference, target("local"), feeds, threads=args.threads)
        ratio = next(q for q in timed if q.name == "latency_ratio")
        beside = {"latency_ratio": ratio.value, "ratio_low": ratio.low, "ratio_high": ratio.high}
        return found | {"of_int8": {**beside, "doubts": [d.text for d in doubts]}}

    return make_rows(args, dict.fromkeys(args.models, RECIPES), beside_int8)


if __name__ == "__main__":
    sys.exit(main())
