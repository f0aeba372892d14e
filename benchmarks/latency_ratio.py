"""Latency of our INT8 file, of ONNX Runtime's own and of FP32, interleaved, each in a fresh process.

    python benchmarks/latency_ratio.py --material MATERIAL                # yolov8n, one thread

The ratio is what counts: rounds of the two models of a pair alternate, so that what slows one slows both.
Each pair is timed `--repeats` times, the pairs in turns. Bars on yolov8n: ours / ONNX Runtime's (per
channel, decode tail excluded) at most 1.15; FP32 / ours at least 1.7.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from common import Loaded, arguments, load, say, write

import paredown
from paredown._measure.timing.latency import measure_latency
from paredown.preprocessing.tensor import preprocess
from paredown.targets import target

STOCK = "ort-static-pc-minmax-tail"
PAIRS = {"ours / ONNX Runtime's": ("ours", "stock"), "FP32 / ours": ("float", "ours")}


def main() -> int:
    """Exit code. Makes the files, then times the pairs."""
    parser = arguments(__doc__, "latency_ratio.json", ["yolov8n"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--recipe", default="int8", help="our recipe (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name in args.models:
        loaded = load(args.material, name, args.images, args.eval)
        with tempfile.TemporaryDirectory(prefix="paredown-") as folder:
            files = _files(loaded, args.recipe, Path(folder))
            rows += _time_pairs(loaded, files, args.threads, args.repeats)
    write(args.out, rows, args.threads, recipes={"ours": args.recipe, "stock": STOCK}, images=args.images)
    return 0


def _files(loaded: Loaded, recipe: str, folder: Path) -> dict[str, Path]:
    """The three models on disk."""
    files = {key: folder / f"{key}.onnx" for key in ("float", "ours", "stock")}
    files["float"].write_bytes(loaded.model.data)
    for key, spelled in (("ours", recipe), ("stock", STOCK)):
        say(f"{loaded.name}: {spelled}")
        files[key].write_bytes(paredown.compress(loaded.model, spelled, loaded.calibration).model.data)
    return files


def _time_pairs(loaded: Loaded, files: dict[str, Path], threads: int, repeats: int) -> list[dict[str, Any]]:
    """One row for each pair: the ratio of every repeat, and the latencies behind it."""
    feeds = {loaded.model.inputs[0].name: preprocess(loaded.judged[0].read(), loaded.card.preprocess)[0]}
    found: dict[str, list[dict[str, Any]]] = {pair: [] for pair in PAIRS}
    for repeat in range(repeats):
        for pair, (candidate, baseline) in PAIRS.items():
            say(f"{loaded.name}: {pair}, {repeat + 1} of {repeats}")
            timed, curves, doubts = measure_latency(
                files[candidate], files[baseline], target("local"), feeds, threads=threads
            )
            quantities = {q.name: asdict(q) for q in timed if q.name in ("latency_s", "latency_ratio")}
            baseline_s = median(curves["baseline_latency_s"])
            found[pair].append(
                {**quantities, "baseline_latency_s": baseline_s, "doubts": [d.text for d in doubts]}
            )
    return [
        {
            "model": loaded.name,
            "pair": pair,
            "ratio": median(run["latency_ratio"]["value"] for run in runs),
            "latency_s": median(run["latency_s"]["value"] for run in runs),
            "baseline_latency_s": median(run["baseline_latency_s"] for run in runs),
            "repeats": runs,
        }
        for pair, runs in found.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
