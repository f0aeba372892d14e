"""Results of runtimes as markdown tables: beside other people's quantizers, beside ONNX Runtime, by size."""

from __future__ import annotations

from collections.abc import Callable

import markdown_cells as md
from markdown_cells import Result


def beside_peers(result: Result) -> str:
    """One row per peer and model in one runtime: points lost, latency, and how our file compares in it."""
    head = ["model", "tool", "setting", "points lost", "latency (of FP32 in ONNX Runtime)"]
    head.append("Paredown's file takes, of it")
    lines = []
    for row in result["rows"]:
        who = [row["model"], row["tool"], row["variant"]]
        if "error" in row:
            lines.append([*who, f"failed to {row['stage']}: {md.cell(row['error'])}", "", ""])
            continue
        lost = md.accuracy(row) if row["peer"] == "float" else md.lost(row)
        timed = next((t for t in row.get("latency", {}).values() if "error" not in t), None)
        beside = row.get("beside_paredown")
        told = "-" if beside is None else "{latency_ratio:.2f} ({low:.2f} .. {high:.2f})".format(**beside)
        lines.append([*who, lost, md.timed(timed), told])
    return md.table(head, lines) + md.foot(result, md.versions(result["rows"]))


def in_runtime(result: Result) -> str:
    """One row per model, runtime and recipe: accuracy, points lost against ONNX Runtime's float, latency."""
    head = ["model", "runtime", "recipe", "mAP50-95", "points lost", "latency of FP32 in ONNX Runtime"]
    lines = []
    for row in result["rows"]:
        who = [row["model"], row["runtime"], f"`{row['recipe']}`"]
        if "error" in row:
            lines.append([*who, f"refused: {md.cell(row['error'])}", "", ""])
            continue
        lines.append(
            [
                *who,
                md.number(row["map50_95"], 4),
                md.lost({**row, "accuracy": 1}),
                md.ratio(row),
            ]
        )
    return md.table(head, lines) + md.foot(result)


TABLES: dict[str, tuple[str, Callable[[Result], str]]] = {
    "peers-openvino": ("peers_openvino.json", beside_peers),
    "peers-litert": ("peers_litert.json", beside_peers),
    "ncnn-float": ("ncnn_float.json", in_runtime),
    "input-size": ("input_size.json", in_runtime),
}
"""Name between the markers -> file of results, and what writes the table."""
