"""Results of models that anybody may bring as markdown tables: of the material, with heads without a name."""

from __future__ import annotations

from collections.abc import Callable

import markdown_cells as md
from markdown_cells import Result

_WORDS = {
    "map50_95": "mAP50-95",
    "top1": "top-1",
    "miou": "mIoU",
    "fidelity_pose_map50_95": "agreement (no truth of points)",
}


def every_model(result: Result) -> str:
    """One row per model: the family that it was read as, its accuracy, what INT8 loses of it, the verdict."""
    lines = []
    for row in result["rows"]:
        if "error" in row:
            lines.append([row["model"], "", "", "", "", f"refused: {md.cell(row['error'])}"])
            continue
        lost = md.lost({**row, "accuracy": row["float"]})
        word = "use INT8" if str(row["verdict"]).startswith("Use int8") else "keep the float model"
        accuracy = f"{md.number(row['float'], 4)} {_WORDS.get(row['metric'], row['metric'])}"
        lines.append([row["model"], row["family"], str(row["judged"]), accuracy, lost, word])
    head = ["model", "family", "images", "FP32", "`int8`: points lost", "verdict"]
    return md.table(head, lines) + md.foot(result)


def unnamed_heads(result: Result) -> str:
    """One row per head: the model it was put on, its float accuracy, and what each recipe loses."""
    labels = list(dict.fromkeys(r["label"] for r in result["rows"] if r.get("label") not in (None, "float")))
    lines = []
    for head, rows in md.by(result["rows"], "model").items():
        by_label = {r.get("label"): r for r in rows}
        base = by_label.get("float", {})
        lost = [md.lost(by_label.get(label)) for label in labels]
        lines.append([head, rows[0]["source"], md.number(base.get("accuracy"), 4), *lost])
    names = [f"`{label}`: points lost" for label in labels]
    return md.table(["head", "put on", "FP32 mAP50-95", *names], lines) + md.foot(result)


TABLES: dict[str, tuple[str, Callable[[Result], str]]] = {
    "every-model": ("every_model.json", every_model),
    "unnamed-heads": ("unnamed_heads.json", unnamed_heads),
}
"""Name between the markers -> file of results, and what writes the table."""
