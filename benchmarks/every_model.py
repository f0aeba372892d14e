"""Every model of the material through `paredown.run`: read, fed, made INT8 and judged, one line each.

    python benchmarks/every_model.py --material MATERIAL           # resumes where it was stopped

What a model needs said beside its file stands in MORE. No time is a result here: results.py takes those.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import HERE, arguments, first_line, model_file, read_rows, say, told, write

import paredown
from paredown import data
from paredown.analyze.against_float import accuracy_of, points_lost
from paredown.detections import ClassMap
from paredown.errors import ParedownError
from paredown.measurement import Trial
from paredown.sample import Dataset
from paredown.study.options import Options

_COCO, _IMAGENET = ("coco_calib", "coco_eval"), ("imagenet_sample/calib.csv", "imagenet_sample/eval.csv")
_CIFAR, _MAPS = ("cifar10/calib.zip", "cifar10/eval.zip"), ("masks:coco_calib", "masks:coco_eval")
SETS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        (
            "yolov8n",
            "yolov5n",
            "yolo26n",
            "yolox_nano",
            "nanodet_m_416",
            "nanodet_m_320",
            "picodet_s_416_coco",
        ),
        _COCO,
    ),
    **dict.fromkeys(
        ("yolo_fastest_1_1_xl", "yolo_lite_coco", "ssdlite_mobilenet_v2_coco", "centernet_mbv3_coco"), _COCO
    ),
    **dict.fromkeys(("person_ssd_retail_0013", "yolov8n_pose_224"), _COCO),
    "deeplabv3_mnv2_dm05_voc": _MAPS,
    **dict.fromkeys(("mobilenet_v2", "mobilenet_v2_torchvision"), _IMAGENET),
    **dict.fromkeys(("squeezenet1_1", "squeezenet1_0_deepcompressed"), _IMAGENET),
    "resnet20_cifar10": _CIFAR,
}
"""Model -> the images to calibrate and to judge on."""

MORE: Mapping[str, Mapping[str, Any]] = {
    "deeplabv3_mnv2_dm05_voc": {"scale": "-1..1", "fit": "letterbox-corner"},  # as it was trained
}
"""Model -> fields of `Options` that it needs."""

VOC_OF_COCO: Mapping[int, int] = {
    5: 1, 2: 2, 16: 3, 9: 4, 44: 5, 6: 6, 3: 7, 17: 8, 62: 9, 21: 10, 67: 11, 18: 12, 19: 13, 4: 14, 1: 15,
    64: 16, 20: 17, 63: 18, 7: 19, 72: 20,
}  # fmt: skip
"""COCO's category id -> VOC's class; all others are VOC's background."""


def main() -> int:
    """Exit code: 1 where a model could not be judged, after all others were."""
    parser = arguments(__doc__, "every_model.json", [])
    taken = next(a for a in parser._actions if a.dest == "models")
    taken.choices, taken.default = list(SETS), list(SETS)
    parser.add_argument("--recipe", default="int8")
    parser.add_argument("--runs", type=Path, default=HERE.parent / "runs" / "every_model")
    args = parser.parse_args()
    rows = read_rows(args.out)
    for name in args.models:
        row = _row(args, name)
        rows = [r for r in rows if r["model"] != name] + [row]
        rows.sort(key=lambda r: list(SETS).index(str(r["model"])))
        write(args.out, rows, 1)
    return int(any("error" in r for r in rows))


def _row(args: Any, name: str) -> dict[str, Any]:
    """The line of one model, with what went wrong where it could not be judged."""
    calibration, judged = (_images(args.material / "data", spec) for spec in SETS[name])
    calibration = data.sample(calibration, args.images)
    judged = judged if args.eval is None else data.sample(judged, args.eval)
    options = Options(recipes=(args.recipe,), threads=1, timing_s=1.0, **MORE.get(name, {}))
    counts = {"model": name, "images": len(calibration), "judged": len(judged)}
    try:
        outcome = paredown.run(
            model_file(args.material, name), judged, calibration, out=args.runs / name, options=options
        )
    except ParedownError as e:
        say(f"{name}: {e}")
        return {**counts, "error": first_line(e, args.material)}
    verdict = outcome.verdict
    made = [t for t in outcome.trials if t is not verdict.baseline and t.label == args.recipe]
    row = {**counts, "family": outcome.card.family, "verdict": verdict.headline}
    return {**row, **_figures(verdict.baseline, made[0])} if made else row


def _figures(baseline: Trial, made: Trial) -> dict[str, Any]:
    """The float model's accuracy, and what the made one loses of it."""
    if made.measurement is None:
        return {"error": (made.error or "").splitlines()[0]}
    accuracy, lost = accuracy_of(baseline), points_lost(made, baseline)
    drop = made.measurement.get(f"{accuracy.name}_drop") if accuracy else None
    return {
        "metric": accuracy.name if accuracy else None,
        "float": accuracy.value if accuracy else None,
        "points_lost": lost.value if lost else None,
        "points_low": drop.low if drop else None,
        "points_high": drop.high if drop else None,
    }


def _images(root: Path, spec: str) -> Dataset:
    """The data set; one of COCO's maps in VOC's classes."""
    kind, colon, folder = spec.rpartition(":")
    found = data.read_dataset(f"{kind}{colon}{root / folder}")
    return _as_voc(found, root) if kind == "masks" else found


def _as_voc(coco: Dataset, root: Path) -> Dataset:
    names = (root / "labels" / "voc21.txt").read_text().split()
    table = np.zeros(1 << 15, np.int16)
    table[list(VOC_OF_COCO)] = list(VOC_OF_COCO.values())

    def mapped(truth: ClassMap) -> ClassMap:
        return ClassMap.of(np.where(truth.classes < 0, np.int16(-1), table[truth.classes]))

    samples = tuple(replace(s, truth=mapped(s.truth)) for s in coco.samples if isinstance(s.truth, ClassMap))
    return replace(coco, name=f"{coco.name}-voc", classes=tuple(names), samples=samples)


if __name__ == "__main__":
    sys.exit(told(main))
