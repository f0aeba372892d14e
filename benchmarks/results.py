"""Every model of the material through `paredown.run`: accuracy, points lost, latency and size of each recipe.

    python benchmarks/results.py --material MATERIAL                      # resumes where it was stopped

Each trial is kept under `--runs` as it is finished, so a second call measures only what is missing; a report page
per model lies there too. The JSON of the results is written anew after each model.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from common import HERE, SUBJECTS, arguments, load, say, write

import paredown
from paredown.errors import ParedownError
from paredown.measurement import Trial
from paredown.study.options import Options
from paredown.study.verdict import accuracy_of, points_lost

RECIPES = ("int8", "int8-minmax", "int8-per-tensor", "int8-dynamic", "int8-weights")
STOCK = ("ort-static", "ort-static-pc-minmax-tail", "ort-dynamic")


def main() -> int:
    """Exit code: 1 where a model could not be measured at all, after all others were."""
    parser = arguments(__doc__, "results.json", list(SUBJECTS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--recipes", nargs="+", default=[*RECIPES, *STOCK])
    parser.add_argument("--runs", type=Path, default=HERE.parent / "runs" / "benchmarks")
    args = parser.parse_args()
    options = Options(recipes=tuple(args.recipes), threads=args.threads, calibration_images=args.images)
    rows: list[dict[str, Any]] = []
    failed = 0
    for name in args.models:
        loaded = load(args.material, name, args.images, args.eval)
        try:
            outcome = paredown.run(
                loaded.file,
                loaded.judged,
                loaded.calibration,
                out=args.runs / name,
                options=options,
                say=lambda text, name=name: say(f"{name}: {text}"),  # type: ignore[misc]
            )
        except ParedownError as e:
            say(f"{name}: {e}")
            rows.append({"model": name, "recipe": "", "label": "", "error": str(e).splitlines()[0]})
            failed += 1
        else:
            baseline = outcome.verdict.baseline
            rows += [
                {**_row(t, baseline), "model": name, "best": t is outcome.verdict.best} for t in outcome.trials
            ]
        write(args.out, rows, args.threads, images=args.images)
    return 1 if failed else 0


def _row(trial: Trial, baseline: Trial) -> dict[str, Any]:
    """The figures of one trial; its error where it failed."""
    row: dict[str, Any] = {"recipe": trial.recipe, "label": trial.label}
    if trial.measurement is None:
        return {**row, "error": (trial.error or "").splitlines()[0]}
    accuracy = accuracy_of(trial)
    if accuracy is not None:
        row |= {"metric": accuracy.name, "accuracy": accuracy.value, "points_lost": points_lost(trial, baseline)}
    drop = None if accuracy is None else trial.measurement.get(f"{accuracy.name}_drop")
    if drop is not None:
        row |= {"points_low": drop.low, "points_high": drop.high}
    for name in ("latency_s", "latency_ratio", "size_bytes", "peak_memory_bytes"):
        row[name] = trial.measurement.value(name)
    return {**row, "seconds": dict(trial.seconds), "doubts": list(trial.measurement.doubts)}


if __name__ == "__main__":
    sys.exit(main())
