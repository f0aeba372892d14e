"""Results as markdown tables: one function for each table, from the JSON that a benchmark wrote to text."""

from __future__ import annotations

from collections.abc import Callable

import evidence_tables
import markdown_cells as md
from markdown_cells import DOUBTED, Result

STOCK_DEFAULT, STOCK_TUNED = "ort-static", "ort-static-pc-minmax-tail"


def summary(result: Result) -> str:
    """One row per model: our `int8`, and the stock quantizer with its defaults and with the tail excluded."""
    head = [
        "model",
        "FP32",
        "`int8`: points lost",
        "latency of FP32",
        "MB",
        "ONNX Runtime, defaults",
        "its tail excluded",
    ]
    lines = []
    for model, rows in md.by(result["rows"], "model").items():
        by_label = {r["label"]: r for r in rows}
        base, ours = by_label.get("float", {}), by_label.get("int8", {"error": "not measured"})
        size = f"{md.mb(base)} → {md.mb(ours)}"
        stock = [md.lost(by_label.get(label)) for label in (STOCK_DEFAULT, STOCK_TUNED)]
        lines.append([model, md.accuracy(base), md.lost(ours), md.ratio(ours), size, *stock])
    return md.table(head, lines) + md.foot(result)


def trials(result: Result) -> str:
    """Every recipe of every model."""
    head = ["model", "recipe", "accuracy", "points lost", "ms", "latency of FP32", "MB", ""]
    lines = []
    for row in result["rows"]:
        if "error" in row:
            lines.append([row["model"], row["label"], f"failed: {md.cell(row['error'])}", "", "", "", "", ""])
            continue
        best = "recommended" if row.get("best") else ""
        figures = [md.accuracy(row), md.lost(row), md.ms(row.get("latency_s")), md.ratio(row), md.mb(row)]
        lines.append([row["model"], f"`{row['label']}`", *figures, best])
    return md.table(head, lines) + md.foot(result)


def calibration(result: Result) -> str:
    """Seconds and memory of the pass, the recipe, and each range method behind the pass."""
    head = ["model", "work", "images", "s", "peak MB"]
    lines = []
    for row in result["rows"]:
        if "error" in row:
            lines.append([row["model"], row["work"], "", f"failed: {md.cell(row['error'])}", ""])
            continue
        figures = [md.number(row["seconds"], 1), md.number(row["peak_bytes"], 0, 1e6)]
        lines.append([row["model"], row["work"], str(row["images"]), *figures])
        for method, seconds in row.get("ranges_s", {}).items():
            lines.append([row["model"], f"then ranges by {method}", "", md.number(seconds, 1), ""])
    return md.table(head, lines) + md.foot(result)


def settling(result: Result) -> str:
    """How far ranges from a part of the sample lie from those of the whole, in parts of the range's width."""
    head = ["model", "values kept of a tensor", "median tensor", "95 % of tensors"]
    lines = [
        [row["model"], f"{part['values']:,}", f"{100 * part['median']:.1f} %", f"{100 * part['p95']:.1f} %"]
        for row in result["rows"]
        for part in row.get("settling", [])
    ]
    return md.table(head, lines) + md.foot(result)


def latency(result: Result) -> str:
    """The ratio of each pair, with the lowest and highest of its repeats."""
    head = ["model", "pair", "ratio", "lowest .. highest repeat", "ms"]
    lines = []
    for row in result["rows"]:
        ratios = [run["latency_ratio"]["value"] for run in row["repeats"]]
        spread = f"{min(ratios):.2f} .. {max(ratios):.2f}"
        times = f"{md.ms(row['latency_s'])} / {md.ms(row['baseline_latency_s'])}"
        mark = DOUBTED if any(run["doubts"] for run in row["repeats"]) else ""
        lines.append([row["model"], row["pair"], f"{row['ratio']:.2f}{mark}", spread, times])
    return md.table(head, lines) + md.foot(result)


def cpus(result: Result) -> str:
    """One row per file: what it loses here and on the emulated CPU, and how far the outputs differ."""
    head = [
        "model",
        "file",
        "pairs that can saturate",
        "VNNI: points lost",
        "AVX2: points lost",
        "outputs differ by",
        "AVX2, precise option: points lost",
    ]
    lines = []
    for model, rows in md.by(result["rows"], "model").items():
        for label, places in md.by((r for r in rows if r["label"] != "float"), "label").items():
            here, there, precise = (
                next((r for r in places if (r["cpu"] is not None, r["precise"]) == place), None)
                for place in ((False, False), (True, False), (True, True))
            )
            differ = "-" if there is None else f"{100 * there['difference']:.1f} %"
            lost = [md.lost(row) for row in (here, there)]
            risk = f"{100 * places[0]['pairs_at_risk']:.1f} %"
            lines.append(
                [f"{model} ({places[0]['judged']} images)", label, risk, *lost, differ, md.lost(precise)]
            )
    return md.table(head, lines) + md.foot(result)


def agreement(result: Result) -> str:
    """Of the models that agree with float at least so far: how many lost at most a point, or half of one."""
    allowed, parts = result["allowed"], []
    for task, title, unit in (("detect", "Detectors", "map50_95"), ("classify", "Classifiers", "top1")):
        rows = [row for row in result["rows"] if row["task"] == task]
        chosen = 100 - result["chosen"][unit]
        lines = []
        for least in sorted({98, 96, 94, 92, 90, 88, 86, 84, 80, chosen}, reverse=True):
            lost = [round(row["points_lost"], 2) for row in rows if row["agreement"] >= least]
            if lost:
                models = len({row["model"] for row in rows if row["agreement"] >= least})
                shares = (sum(v <= points for v in lost) / len(lost) for points in (allowed, allowed / 2))
                mark = "**" if least == chosen else ""
                figures = [f"{share:.0%}" for share in shares]
                lines.append(
                    [f"{mark}{least}{mark}", str(len(lost)), str(models), *figures, f"{max(lost):.2f}"]
                )
        head = ["agreement, % at least", "pairs", "models", f"lost at most {allowed:g}"]
        parts.append(f"{title}:\n\n{md.table([*head, f'lost at most {allowed / 2:g}', 'most lost'], lines)}")
    sources = ", ".join(sorted({f"`{row['source']}`" for row in result["rows"]}))
    return "\n\n".join(parts) + f"\n\n`{result['command']}`, from {sources}. Bold: the default.\n"


TABLES: dict[str, tuple[str, Callable[[Result], str]]] = {
    "summary": ("results.json", summary),
    "trials": ("results.json", trials),
    "calibration": ("calibration.json", calibration),
    "settling": ("calibration.json", settling),
    "latency": ("latency_ratio.json", latency),
    "cpus": ("avx2.json", cpus),
    "agreement": ("fidelity_limit.json", agreement),
    "coverage": ("interval_coverage.json", evidence_tables.coverage),
    "opens": ("report_opens.json", evidence_tables.opens),
}
"""Name between the markers -> file of results, and what writes the table."""
