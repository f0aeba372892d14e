"""Results of runtimes as markdown tables: beside ONNX Runtime, and by input size."""

from __future__ import annotations

from collections.abc import Callable

import markdown_cells as md
from markdown_cells import Result


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
    "ncnn-float": ("ncnn_float.json", in_runtime),
    "input-size": ("input_size.json", in_runtime),
}
"""Name between the markers -> file of results, and what writes the table."""
