"""Every model of the material through `paredown.run`: accuracy, points lost, latency and size of each recipe.

    python benchmarks/results.py --material MATERIAL                      # resumes where it was stopped

Each trial is kept under `--runs` as it is finished, so a second call measures only what is missing; a
report page per model lies there too. The JSON of the results is written anew after each model.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from common import HERE, SUBJECTS, arguments, datasets, first_line, model_file, read_rows, say, told, write

import paredown
from paredown._compress.presets import DEFAULT_RECIPES
from paredown.analyze.against_float import accuracy_of, points_lost
from paredown.errors import CardError, DataError, ModelError
from paredown.measurement import Trial
from paredown.study.options import Options

STOCK_TUNED = "ort-static-pc-minmax-tail"


def main() -> int:
    """Exit code: 1 where a model could not be measured at all, after all others were."""
    parser = arguments(__doc__, "results.json", list(SUBJECTS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--recipes", nargs="+", default=[*DEFAULT_RECIPES, STOCK_TUNED])
    parser.add_argument("--runs", type=Path, default=HERE.parent / "runs" / "benchmarks")
    args = parser.parse_args()
    rows = read_rows(args.out)
    failed = False
    for name in args.models:
        measured = _model(args, name)
        failed |= any(row["recipe"] == "" for row in measured)
        rows = [row for row in rows if row["model"] != name] + measured
        rows.sort(key=lambda row: list(SUBJECTS).index(str(row["model"])))
        write(args.out, rows, args.threads)
    return int(failed)


def _model(args: argparse.Namespace, name: str) -> list[dict[str, Any]]:
    """The rows of one model; a single one with the error where the whole job failed."""
    calibration, judged = datasets(args.material, name, args.images, args.eval)
    counts = {"model": name, "images": len(calibration), "judged": len(judged)}
    options = Options(recipes=tuple(args.recipes), threads=args.threads, calibration_images=args.images)
    try:
        outcome = paredown.run(
            model_file(args.material, name),
            judged,
            calibration,
            out=args.runs / name,
            options=options,
            say=lambda text: say(f"{name}: {text}"),
        )
    except (ModelError, CardError, DataError) as e:
        say(f"{name}: {e}")
        return [{**counts, "recipe": "", "label": "", "error": first_line(e, args.material)}]
    verdict = outcome.verdict
    return [
        {**counts, **_figures(t, verdict.baseline), "best": t is verdict.best}
        for t in outcome.trials
        if t.label in ("float", *args.recipes) or t.recipe in args.recipes
    ]


def _figures(trial: Trial, baseline: Trial) -> dict[str, Any]:
    """The figures of one trial; its error where it failed."""
    row: dict[str, Any] = {"recipe": trial.recipe, "label": trial.label}
    if trial.measurement is None:
        return {**row, "error": (trial.error or "").splitlines()[0]}
    accuracy = accuracy_of(trial)
    if accuracy is not None:
        row |= {"metric": accuracy.name, "accuracy": accuracy.value}
        lost = points_lost(trial, baseline)
        row["points_lost"] = None if lost is None else lost.value
        drop = trial.measurement.get(f"{accuracy.name}_drop")
        if drop is not None:
            row |= {"points_low": drop.low, "points_high": drop.high}
    for name in ("latency_s", "latency_ratio", "size_bytes", "peak_memory_bytes"):
        row[name] = trial.measurement.value(name)
    return {**row, "seconds": dict(trial.seconds), "doubts": [d.text for d in trial.measurement.doubts]}


if __name__ == "__main__":
    sys.exit(told(main))
