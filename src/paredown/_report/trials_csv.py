"""The trials of a study as a table for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from paredown.measurement import Trial

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would compute instead of show


def trials_csv(trials: Sequence[Trial], parts: Sequence[str] = ()) -> str:
    """One line for each trial: what it is, then value, unit and interval of every quantity in base units.

    parts: of which part of a study of several models each is.
    """
    quantities = {q.name: q.unit for t in trials if t.measurement for q in t.measurement.quantities}
    head = ["part"] if parts else []
    head += ["label", "recipe", "origin", "target", "runtime", "size", "seed", "model", "model_file", "error"]
    for name, unit in quantities.items():
        column = f"{name} [{unit}]" if unit else name
        head += [column, f"{name} low", f"{name} high", f"{name} how"]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(head)
    for i, trial in enumerate(trials):
        texts = [parts[i]] if parts else []
        texts += [trial.label, trial.recipe, trial.origin, trial.target, trial.runtime]
        texts += ["" if trial.size is None else f"{trial.size[1]}x{trial.size[0]}", str(trial.seed)]
        texts += [trial.model, trial.model_file or "", trial.error or ""]
        line: list[object] = [_text(v) for v in texts]
        for name in quantities:
            q = None if trial.measurement is None else trial.measurement.get(name)
            line += ["", "", "", ""] if q is None else [q.value, q.low, q.high, q.how]
        writer.writerow(["" if v is None else v for v in line])
    return out.getvalue()


def _text(value: str) -> str:
    return f"'{value}" if value.startswith(FORMULA) else value
