"""Results of recipes as markdown tables: rounding, mixed precision, pruning, learning, 4 bits, packing."""

from __future__ import annotations

from collections.abc import Callable

import markdown_cells as md
from markdown_cells import Result

_SETS = ("rest", "eval")


def rounding(result: Result) -> str:
    """What each rounding wins back over the nearest integer, and how fast."""
    head = [
        "model",
        "weights",
        "rounding",
        "fidelity, %",
        "points lost",
        "s more",
        "fidelity gained per second",
        "evaluation images: fidelity, %",
        "points lost",
    ]
    lines = []
    for row in result["rows"]:
        who = [row["model"], f"{row['bits']} bits", f"`{row['rounding']}`"]
        if "error" in row:
            lines.append([*who, f"failed: {md.cell(row['error'])}", *[""] * 5])
            continue
        base = next(
            r for r in result["rows"] if md.about(r, "model", "bits") == md.about(row, "model", "bits")
        )
        more, gained = (row[key] - base[key] for key in ("cpu_s", "rest_fidelity"))
        paid = ["-", "-"] if row is base else [f"{more:.1f}", f"{gained / max(more, 1e-3):+.3f}"]
        rest, outcome = ([f"{row[f'{s}_fidelity']:.2f}", f"{row[f'{s}_points_lost']:.2f}"] for s in _SETS)
        lines.append([*who, *rest, *paid, *outcome])
    return md.table(head, lines) + md.foot(result)


def parts(result: Result) -> str:
    """The `int8` recipe, part by part, on every model."""
    head = ["model", "recipe", "fidelity, %", "points lost", "evaluation images: fidelity, %", "points lost"]
    lines = []
    for row in result["rows"]:
        who = [row["model"], f"`{row['recipe']}`"]
        if "error" in row:
            lines.append([*who, f"failed: {md.cell(row['error'])}", *[""] * 6])
            continue
        judged = [f"{row[f'{s}_{w}']:.2f}" for s in _SETS for w in ("fidelity", "points_lost")]
        lines.append([*who, *judged, str(row["factors"]), str(row["released"]), f"{row['cpu_s']:.0f}"])
    return md.table([*head, "bundles with factors", "nodes released", "s"], lines) + md.foot(result)


def constants(result: Result) -> str:
    """Fidelity at every value of every constant, models side by side; the value in use in bold."""
    models = list(md.by(result["rows"], "model"))
    lines = []
    for constant, rows in md.by(result["rows"], "constant").items():
        for value in sorted({row["value"] for row in rows}):
            cells = {row["model"]: row for row in rows if row["value"] == value}
            used = any(row.get("default") for row in cells.values())
            found = [md.fidelity(cells.get(model)) for model in models]
            lines.append([constant, f"**{value:g}**" if used else f"{value:g}", *found])
    return md.table(["constant", "value", *models], lines) + md.foot(result)


def mixed(result: Result) -> str:
    """One row per model: points lost and latency of `int8` and of `mixed`, and what the layers became."""
    head = [
        "model",
        "`int8`: points lost",
        "`mixed`: points lost",
        "layers W8A8 / W4A8 / W8 / float",
        "`int8`: latency of FP32",
        "`mixed`: latency of FP32",
        "`mixed` over `int8`",
        "MB",
        "s",
    ]
    lines = []
    for model, rows in md.by(result["rows"], "model").items():
        by_recipe = {row["recipe"]: row for row in rows}
        plain, ours = (by_recipe.get(r, {"error": "not measured"}) for r in ("int8", "mixed"))
        chosen = ours.get("choices", {})
        layers = " / ".join(str(chosen.get(c, 0)) for c in ("W8A8", "W4A8", "W8", "float")) if chosen else "-"
        both = [row.get("latency_ratio") for row in (ours, plain)]  # each was timed beside FP32
        ratio = "-" if None in both else f"{both[0] / both[1]:.2f}"
        size = f"{md.mb(plain)} → {md.mb(ours)}"
        seconds = md.number(ours.get("seconds"), 0)
        figures = [
            md.lost(plain),
            md.lost(ours),
            layers,
            md.ratio(plain),
            md.ratio(ours),
            ratio,
            size,
            seconds,
        ]
        lines.append([model, *figures])
    return f"Limit: at most {result['max_drop']:g} points.\n\n{md.table(head, lines)}{md.foot(result)}"


def prune(result: Result) -> str:
    """One row for each recipe: MACs gone, points lost, latency, minutes of making it."""
    head = [
        "model",
        "recipe",
        "MACs gone",
        "accuracy",
        "points lost",
        "latency of FP32",
        "ms",
        "MB",
        "minutes",
    ]
    lines = []
    for model, rows in md.by(result["rows"], "model").items():
        whole = next((r["macs"] for r in rows if r["recipe"] == "float"), None)
        for row in rows:
            who = [model, md.recipe(row)]
            if "error" in row:
                lines.append([*who, f"failed: {md.cell(row['error'])}", "", "", "", "", "", ""])
                continue
            plain = row["recipe"] == "float"
            gone = "-" if plain or whole is None else f"{100 * (1 - row['macs'] / whole):.1f} %"
            lost = "-" if plain else md.lost(row)
            took = "-" if plain else f"{row['minutes']:.1f} ({row['computed_minutes']:.1f})"
            timed = ["-" if plain else md.ratio(row), md.ms(row["latency_s"]), md.mb(row)]
            lines.append([*who, gone, md.accuracy(row), lost, *timed, took])
    return md.table(head, lines) + md.foot(result)


def learn(result: Result) -> str:
    """One row for each recipe, those that learn and the same without learning."""
    head = ["model", "recipe", "accuracy", "points lost", "fidelity"]
    head += ["MB", "latency of FP32", "minutes", "of one core"]
    lines = []
    for rows in md.by(result["rows"], "model").values():
        for row in sorted(rows, key=lambda r: (r["recipe"] != "float", r["recipe"])):
            learned = "qat" in row["recipe"]
            minutes = [md.number(row.get(k) if learned else None, 1) for k in ("minutes", "computed_minutes")]
            lost = "-" if row["recipe"] == "float" else md.lost(row)
            name = "float" if row["recipe"] == "float" else md.recipe(row)
            same = md.number(row.get("fidelity"), 1, 0.01)
            lines.append(
                [row["model"], name, md.accuracy(row), lost, same, md.mb(row), md.ratio(row), *minutes]
            )
    return md.table(head, lines) + md.foot(result)


def int4(result: Result) -> str:
    """One row per model and recipe: points lost, file and latency of FP32, latency of our INT8."""
    head = [
        "model",
        "recipe",
        "points lost",
        "fidelity",
        "file of FP32",
        "latency of FP32",
        "latency of `int8`",
    ]
    lines = []
    for row in result["rows"]:
        if row["recipe"] == "float":
            continue
        same, size = md.number(row.get("fidelity"), 1, 0.01), md.number(row.get("size_ratio"), 3)
        beside = md.ratio(row["of_int8"]) if "of_int8" in row else "-"
        lines.append([row["model"], f"`{row['recipe']}`", md.lost(row), same, size, md.ratio(row), beside])
    return md.table(head, lines) + md.foot(result)


def int4_summary(result: Result) -> str:
    """The preset alone."""
    kept = [row for row in result["rows"] if "w4a8" in row["recipe"] and "even" not in row["recipe"]]
    named = [{**row, "recipe": "int4"} for row in kept if "ends" not in row["recipe"]]
    return int4({**result, "rows": named})


def searches(result: Result) -> str:
    """One row per way of searching: the part of the whole table's hypervolume after so many proposals."""
    found = result["replay"]
    counts = list(next(iter(found.values())))
    lines = [[way, *(f"{volumes[n]:.2f}" for n in counts)] for way, volumes in found.items()]
    told = f", means of {result['seeds']} seeds"
    return md.table(["after so many proposals", *counts], lines) + md.foot(result, told)


def deep(result: Result) -> str:
    """One row per model and recipe: points lost, stock and packed size, how fast it unpacks, latency."""
    head = [
        "model",
        "recipe",
        "points lost",
        "ONNX, KB",
        ".pdz, KB",
        "FP32 file over .pdz",
        "unpacks, MB/s",
        "latency of FP32",
        "minutes",
    ]
    lines = []
    for row in result["rows"]:
        if "error" in row:
            lines.append([row["model"], md.recipe(row), f"failed: {md.cell(row['error'])}", *[""] * 6])
            continue
        first = row["recipe"] == "float"
        sizes = [md.number(row[key], 0, 1e3) for key in ("size_bytes", "packed_bytes")]
        lines.append(
            [
                row["model"],
                md.recipe(row),
                md.accuracy(row) if first else md.lost({**row, "label": row["recipe"]}),
                *sizes,
                f"{row['ratio']:.2f}",
                "-" if first else md.number(row["unpack_bytes_per_s"], 0, 1e6),
                "1" if first else md.ratio(row),
                "-" if first else md.number(row["minutes"], 1),
            ]
        )
    return md.table(head, lines) + md.foot(result)


def coders(result: Result) -> str:
    """Bytes that each coder makes of the large tensors of the same files, in parts of their entropy."""
    rows = [row for row in result["rows"] if "coders" in row and row["recipe"] != "float"]
    names = [name for name in rows[0]["coders"] if name not in ("plain", "entropy")] if rows else []
    lines = [
        [row["model"], md.recipe(row), f"{row['coders']['plain']:,}", f"{row['coders']['entropy']:,}"]
        + [f"{row['coders'][name] / row['coders']['entropy']:.3f}" for name in names]
        for row in rows
    ]
    return md.table(["model", "recipe", "bytes", "entropy of bytes", *names], lines) + md.foot(result)


TABLES: dict[str, tuple[str, Callable[[Result], str]]] = {
    "parts": ("parts.json", parts),
    "rounding": ("rounding.json", rounding),
    "mixed": ("mixed.json", mixed),
    "constants": ("constants.json", constants),
    "prune": ("prune.json", prune),
    "search": ("search.json", searches),
    "search-made-up": ("search_made_up.json", searches),
    "learn": ("learn.json", learn),
    "int4": ("int4.json", int4),
    "int4-summary": ("int4.json", int4_summary),
    "deep": ("deep.json", deep),
    "coders": ("deep.json", coders),
}
"""Name between the markers -> file of results, and what writes the table."""
