"""The `int8` recipe put together part by part: what each is worth, and what it costs.

    python benchmarks/parts.py --material MATERIAL                     # resumes where it was stopped

Fidelity to the float model's own detections on the calibration images that nothing was calibrated on is for
choosing; the evaluation images are shown beside it as the outcome. Seconds are of the processor.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from common import arguments, first_line, read_rows, say, write
from held_out import HeldOut, open_subject

from paredown.errors import ParedownError

RECIPES = (
    "w8a8-pc-minmax",
    "w8a8-pc-mse",
    "cle+w8a8-pc-mse",
    "cle+gates+w8a8-pc-mse",
    "cle+gates+w8a8-pc-mse-guard",
    "cle+gates+w8a8-pc-mse-guard+gptq",
)


def main() -> int:
    """Exit code: 1 where a recipe failed, after all others were tried."""
    parser = arguments(__doc__, "parts.json", ["yolox_nano", "nanodet_m_320", "yolov5n", "yolov8n"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    args = parser.parse_args()
    rows = read_rows(args.out)
    for name in args.models:
        done = {(row["model"], row["recipe"]) for row in rows}
        wanted = [recipe for recipe in args.recipes if (name, recipe) not in done]
        if not wanted:
            continue
        subject = open_subject(args.material, name, args.images, args.threads)
        for recipe in wanted:
            rows.append({"model": name, "recipe": recipe, **_row(args, subject, recipe)})
            say(str(rows[-1]))
            write(args.out, rows, args.threads)
    return int(any("error" in row for row in rows))


def _row(args: argparse.Namespace, subject: HeldOut, recipe: str) -> dict[str, Any]:
    """The recipe's figures, or its error."""
    try:
        made, seconds = subject.compress(recipe)
    except ParedownError as error:
        return {"error": first_line(error, args.material)}
    told = [record.data or {} for record in made.log]
    counts = {"images": len(subject.calibration), "judged": len(subject.sets["eval"].images)}
    gates = [record for record in made.log if record.step == "gates" and record.action == "changed"]
    released = sum(len(data.get("released", ())) for data in told)
    return {
        "cpu_s": seconds,
        "factors": len({(record.data or {})["first"] for record in gates}),
        "released": released,
        **subject.judge(made.model),
        **counts,
        "rest": len(subject.sets["rest"].images),
    }


if __name__ == "__main__":
    sys.exit(main())
