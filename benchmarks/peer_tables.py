"""Results of ptq_peers.py as markdown tables: every figure, one line per tool, and one runtime alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

import markdown_cells as md
from markdown_cells import Result, Row
from quantizers import PEERS

RUNTIMES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "litert": "LiteRT"}
_WHO = ("model", "tool", "setting", "points lost", "fidelity, %")
_LISTS = re.compile(r" --(models|peers)( (?!--)\S+)+")
_BESIDE = "Paredown's file takes, of it"


def every_figure(result: Result) -> str:
    """Every peer on every model; a failure shows the stage and its first error line."""
    head = [*_WHO, "peak MB", *RUNTIMES.values(), _BESIDE]
    lines = []
    for row in result["rows"]:
        needed = md.number(row.get("peak_bytes"), 0, 1e6)
        if "error" in row:
            lines.append([*_failed(row), "", needed, *[""] * (len(RUNTIMES) + 1)])
            continue
        latency = row.get("latency", {})
        times = [md.timed(latency.get(runtime)) for runtime in RUNTIMES]
        lines.append([*_judged(row), needed, *times, _beside(row)])
    return md.table(head, lines) + _foot(result, result["rows"], md.versions(result["rows"]))


def summary(result: Result) -> str:
    """One line per tool and setting, one column per model: points lost, and latency in the best runtime."""
    rows = [row for row in result["rows"] if row["peer"] != "float"]
    best = {model: _best(group) for model, group in md.by(rows, "model").items()}
    lines = []
    for group in md.by(sorted(rows, key=lambda row: list(PEERS).index(row["peer"])), "peer").values():
        cells = {r["model"]: _points_and_ratio(r, r is best[r["model"]]) for r in group}
        lines.append([group[0]["tool"], group[0]["variant"], *(cells.get(m, "-") for m in best)])
    told = (
        "Points lost; in brackets the latency in the best runtime that was timed, as a part of FP32 in ONNX "
        "Runtime. Bold: the least loss, or where intervals hold 0 the highest agreement with the float model "
        "among these."
    )
    return f"{told}\n\n{md.table(['tool', 'setting', *best], lines)}{_foot(result, rows)}"


def in_runtime(result: Result, runtime: str) -> str:
    """What tools write for one runtime: points lost, latency there, and how our file compares in it."""
    rows = [row for row in result["rows"] if row["runtime"] == runtime and row["peer"] != "float"]
    head = [*_WHO, "latency (of FP32 in ONNX Runtime)", _BESIDE]
    lines = [
        [*_failed(row), "", "", ""]
        if "error" in row
        else [*_judged(row), md.timed(row.get("latency", {}).get(runtime)), _beside(row)]
        for row in rows
    ]
    return md.table(head, lines) + _foot(result, rows, md.versions(rows))


def _foot(result: Result, rows: Sequence[Row], more: str = "") -> str:
    """As `md.foot`, the commands without lists of models and peers, which the table shows."""
    made = [row["made_by"] | {"command": _LISTS.sub("", row["made_by"]["command"])} for row in rows]
    return md.foot(
        {**result, "rows": [row | {"made_by": by} for row, by in zip(rows, made, strict=True)]}, more
    )


def _failed(row: Row) -> list[str]:
    return [row["model"], row["tool"], row["variant"], f"failed to {row['stage']}: {md.cell(row['error'])}"]


def _judged(row: Row) -> list[str]:
    """Who it is, what it lost, and its agreement with the float model."""
    lost = md.accuracy(row) if row["peer"] == "float" else md.lost(row)
    return [row["model"], row["tool"], row["variant"], lost, md.number(row.get("fidelity"), 1, 0.01)]


def _beside(row: Row) -> str:
    beside = row.get("beside_paredown")
    if beside is None:
        return "-"
    return "{latency_ratio:.2f} ({low:.2f} .. {high:.2f})".format(**beside) + md.doubt(beside)


def _best(rows: Sequence[Row]) -> Row | None:
    """Of those whose interval holds 0 the one that agrees most with the float model; else the least loss."""
    judged = [row for row in rows if "error" not in row and row.get("points_lost") is not None]
    alike = [row for row in judged if row["points_low"] <= 0]
    if alike:
        return max(alike, key=lambda row: float(row["fidelity"]))
    return min(judged, key=lambda row: float(row["points_lost"]), default=None)


def _points_and_ratio(row: Row, best: bool) -> str:
    if "error" in row:
        return "failed"
    lost = f"{row['points_lost']:.2f}"
    ratios = [t["latency_ratio"] for t in row.get("latency", {}).values() if "latency_ratio" in t]
    ratio = f" ({min(ratios):.2f})" if ratios else ""
    return (f"**{lost}**" if best else lost) + ratio


TABLES: dict[str, tuple[str, Callable[[Result], str]]] = {
    "ptq-peers": ("ptq_peers.json", every_figure),
    "ptq-peers-summary": ("ptq_peers.json", summary),
    "peers-openvino": ("ptq_peers.json", partial(in_runtime, runtime="openvino")),
    "peers-litert": ("ptq_peers.json", partial(in_runtime, runtime="litert")),
}
"""Name between the markers -> file of results, and what writes the table."""
