"""How much agreement with the float model goes with a point of accuracy, from all results that hold both.

    python benchmarks/fidelity_limit.py     # reads results/*.json, prints, writes results/fidelity_limit.json

Every compressed model that another benchmark judged by truth and by the float model's own answers is a pair.
Chosen for each task: the largest whole number of points of agreement for one point of accuracy with which, of
the pairs that agree at least so far, three of four lost at most a point (the default of `--max-drop`) and
none lost more than two. It stands in `paredown.agreement.PER_POINT`; the exit code is 1 where they differ.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common import RESULTS, SUBJECTS, command
from tables import agreement

from paredown.agreement import PER_POINT

OUT = "fidelity_limit.json"
ALLOWED = 1.0  # points: the default of --max-drop
KEPT = 0.75  # of the pairs must lose no more than that
MOST = 2.0  # times that: no pair may lose more
HEADLINES = {"detect": "map50_95", "classify": "top1"}
KEYS = (  # agreement, its scale to per cent, points lost: as the benchmarks call them
    ("fidelity", 100.0, "points_lost"),
    ("rest_fidelity", 1.0, "rest_points_lost"),
    ("eval_fidelity", 1.0, "eval_points_lost"),
)


@dataclass(frozen=True, order=True)
class Pair:
    """A compressed model on one set of images. agreement: per cent."""

    task: str
    agreement: float
    points_lost: float
    model: str
    source: str


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="folder of the JSON files (%(default)s)"
    )
    args = parser.parse_args()
    pairs = read_pairs(args.results)
    chosen = {HEADLINES[task]: choose([p for p in pairs if p.task == task]) for task in HEADLINES}
    rows = [asdict(p) for p in sorted(pairs, reverse=True)]
    result = {"command": command(sys.argv), "allowed": ALLOWED, "chosen": chosen, "rows": rows}
    (args.results / OUT).write_text(json.dumps(result, indent=1) + "\n")
    print(agreement(result))
    for metric, points in chosen.items():
        print(
            f"{metric}: {points} points of agreement for one of accuracy, in the code {PER_POINT[metric]:g}"
        )
    return int(chosen != PER_POINT)


def read_pairs(folder: Path) -> list[Pair]:
    """Every pair once: the same model is often in several results, and recipes may come to the same graph."""
    found: dict[tuple[object, ...], Pair] = {}
    for file in sorted(folder.glob("*.json")):
        if file.name == OUT:
            continue
        for pair in _pairs(file.name, json.loads(file.read_text()).get("rows", [])):
            found.setdefault((pair.model, round(pair.agreement, 4), round(pair.points_lost, 4)), pair)
    return list(found.values())


def _pairs(source: str, rows: Sequence[dict[str, Any]]) -> Iterator[Pair]:
    for row in rows:
        if row.get("recipe") in (None, "float"):
            continue
        for key, scale, lost in KEYS:
            if row.get(key) is not None and row.get(lost) is not None:
                task = SUBJECTS[row["model"]].task
                yield Pair(task, scale * row[key], row[lost], row["model"], source)


def choose(pairs: Sequence[Pair]) -> int:
    """The largest whole number of points of agreement that holds; 0 where none does."""

    def holds(points: int) -> bool:
        lost = [round(p.points_lost, 2) for p in pairs if p.agreement >= 100 - points * ALLOWED]
        kept = sum(value <= ALLOWED for value in lost)
        return bool(lost) and kept >= KEPT * len(lost) and max(lost) <= MOST * ALLOWED

    return max((points for points in range(1, 100) if holds(points)), default=0)


if __name__ == "__main__":
    sys.exit(main())
