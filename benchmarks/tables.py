"""Results as markdown tables: one function for each table, from the JSON that a benchmark wrote to text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import evidence_tables

Result = Mapping[str, Any]
Row = Mapping[str, Any]

DOUBTED = "&nbsp;?"
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
    for model, rows in _by(result["rows"], "model").items():
        by_label = {r["label"]: r for r in rows}
        base, ours = by_label.get("float", {}), by_label.get("int8", {"error": "not measured"})
        size = f"{_mb(base)} → {_mb(ours)}"
        stock = [_lost(by_label.get(label)) for label in (STOCK_DEFAULT, STOCK_TUNED)]
        lines.append([model, _accuracy(base), _lost(ours), _ratio(ours), size, *stock])
    return _table(head, lines) + _foot(result)


def trials(result: Result) -> str:
    """Every recipe of every model."""
    head = ["model", "recipe", "accuracy", "points lost", "ms", "latency of FP32", "MB", ""]
    lines = []
    for row in result["rows"]:
        if "error" in row:
            lines.append([row["model"], row["label"], f"failed: {_cell(row['error'])}", "", "", "", "", ""])
            continue
        best = "recommended" if row.get("best") else ""
        figures = [_accuracy(row), _lost(row), _ms(row.get("latency_s")), _ratio(row), _mb(row)]
        lines.append([row["model"], f"`{row['label']}`", *figures, best])
    return _table(head, lines) + _foot(result)


def peers(result: Result) -> str:
    """Every peer on every model; a failure shows the stage and its first error line.

    Where it was timed: how long Paredown's file for OpenVINO takes for the time of that peer's, in one run.
    """
    head = ["model", "tool", "setting", "points lost", "s", "peak MB", "ONNX Runtime", "OpenVINO"]
    beside = any("beside_paredown" in row for row in result["rows"])
    head += ["Paredown's for OpenVINO, of it"] if beside else []
    lines = []
    for row in result["rows"]:
        who = [row["model"], row["tool"], row["variant"]]
        took = [_number(row.get("seconds"), 0), _number(row.get("peak_bytes"), 0, 1e6)]
        if "error" in row:
            failed = f"failed to {row['stage']}: {_cell(row['error'])}"
            lines.append([*who, failed, *took, "", "", *([""] if beside else [])])
            continue
        latency = row.get("latency", {})
        times = [_timed(latency.get(runtime)) for runtime in ("onnxruntime", "openvino")]
        lost = _accuracy(row) if row["peer"] == "float" else _lost(row)
        ratio = _number(row.get("beside_paredown", {}).get("latency_ratio"), 2)
        lines.append([*who, lost, *took, *times, *([ratio] if beside else [])])
    return _table(head, lines) + _foot(result, _versions(result["rows"]))


def peers_summary(result: Result) -> str:
    """One line per tool and setting, one column per model: points lost, and latency in the best runtime."""
    models = list(_by(result["rows"], "model"))
    lowest = {m: min(map(_points, rows)) for m, rows in _by(_compressed(result["rows"]), "model").items()}
    lines = []
    for rows in _by(_compressed(result["rows"]), "peer").values():
        cells = {r["model"]: _points_and_ratio(r, lowest[r["model"]]) for r in rows}
        lines.append([rows[0]["tool"], rows[0]["variant"], *(cells.get(m, "-") for m in models)])
    told = "Points lost; in brackets the latency in the better of ONNX Runtime and OpenVINO, as a part of"
    return f"{told} FP32 in ONNX Runtime.\n\n{_table(['tool', 'setting', *models], lines)}{_foot(result)}"


def calibration(result: Result) -> str:
    """Seconds and memory of the pass, the recipe, and each range method behind the pass."""
    head = ["model", "work", "images", "s", "peak MB"]
    lines = []
    for row in result["rows"]:
        if "error" in row:
            lines.append([row["model"], row["work"], "", f"failed: {_cell(row['error'])}", ""])
            continue
        figures = [_number(row["seconds"], 1), _number(row["peak_bytes"], 0, 1e6)]
        lines.append([row["model"], row["work"], str(row["images"]), *figures])
        for method, seconds in row.get("ranges_s", {}).items():
            lines.append([row["model"], f"then ranges by {method}", "", _number(seconds, 1), ""])
    return _table(head, lines) + _foot(result)


def settling(result: Result) -> str:
    """How far ranges from a part of the sample lie from those of the whole, in parts of the range's width."""
    head = ["model", "values kept of a tensor", "median tensor", "95 % of tensors"]
    lines = [
        [row["model"], f"{part['values']:,}", f"{100 * part['median']:.1f} %", f"{100 * part['p95']:.1f} %"]
        for row in result["rows"]
        for part in row.get("settling", [])
    ]
    return _table(head, lines) + _foot(result)


def latency(result: Result) -> str:
    """The ratio of each pair, with the lowest and highest of its repeats."""
    head = ["model", "pair", "ratio", "lowest .. highest repeat", "ms"]
    lines = []
    for row in result["rows"]:
        ratios = [run["latency_ratio"]["value"] for run in row["repeats"]]
        spread = f"{min(ratios):.2f} .. {max(ratios):.2f}"
        times = f"{_ms(row['latency_s'])} / {_ms(row['baseline_latency_s'])}"
        mark = DOUBTED if any(run["doubts"] for run in row["repeats"]) else ""
        lines.append([row["model"], row["pair"], f"{row['ratio']:.2f}{mark}", spread, times])
    return _table(head, lines) + _foot(result)


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
    for model, rows in _by(result["rows"], "model").items():
        for label, places in _by((r for r in rows if r["label"] != "float"), "label").items():
            here, there, precise = (
                next((r for r in places if (r["cpu"] is not None, r["precise"]) == place), None)
                for place in ((False, False), (True, False), (True, True))
            )
            differ = "-" if there is None else f"{100 * there['difference']:.1f} %"
            lost = [_lost(row) for row in (here, there)]
            risk = f"{100 * places[0]['pairs_at_risk']:.1f} %"
            lines.append(
                [f"{model} ({places[0]['judged']} images)", label, risk, *lost, differ, _lost(precise)]
            )
    return _table(head, lines) + _foot(result)


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
            lines.append([*who, f"failed: {_cell(row['error'])}", *[""] * 5])
            continue
        base = next(r for r in result["rows"] if _about(r, "model", "bits") == _about(row, "model", "bits"))
        more, gained = (row[key] - base[key] for key in ("cpu_s", "rest_fidelity"))
        paid = ["-", "-"] if row is base else [f"{more:.1f}", f"{gained / max(more, 1e-3):+.3f}"]
        rest, outcome = ([f"{row[f'{s}_fidelity']:.2f}", f"{row[f'{s}_points_lost']:.2f}"] for s in _SETS)
        lines.append([*who, *rest, *paid, *outcome])
    return _table(head, lines) + _foot(result)


def parts(result: Result) -> str:
    """The `int8` recipe, part by part, on every model."""
    head = ["model", "recipe", "fidelity, %", "points lost", "evaluation images: fidelity, %", "points lost"]
    lines = []
    for row in result["rows"]:
        who = [row["model"], f"`{row['recipe']}`"]
        if "error" in row:
            lines.append([*who, f"failed: {_cell(row['error'])}", *[""] * 6])
            continue
        judged = [f"{row[f'{s}_{w}']:.2f}" for s in _SETS for w in ("fidelity", "points_lost")]
        lines.append([*who, *judged, str(row["factors"]), str(row["released"]), f"{row['cpu_s']:.0f}"])
    return _table([*head, "bundles with factors", "nodes released", "s"], lines) + _foot(result)


_SETS = ("rest", "eval")


def constants(result: Result) -> str:
    """Fidelity at every value of every constant, models side by side; the value in use in bold."""
    models = list(_by(result["rows"], "model"))
    lines = []
    for constant, rows in _by(result["rows"], "constant").items():
        for value in sorted({row["value"] for row in rows}):
            cells = {row["model"]: row for row in rows if row["value"] == value}
            used = any(row.get("default") for row in cells.values())
            found = [_fidelity(cells.get(model)) for model in models]
            lines.append([constant, f"**{value:g}**" if used else f"{value:g}", *found])
    return _table(["constant", "value", *models], lines) + _foot(result)


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
    for model, rows in _by(result["rows"], "model").items():
        by_recipe = {row["recipe"]: row for row in rows}
        plain, ours = (by_recipe.get(r, {"error": "not measured"}) for r in ("int8", "mixed"))
        chosen = ours.get("choices", {})
        layers = " / ".join(str(chosen.get(c, 0)) for c in ("W8A8", "W4A8", "W8", "float")) if chosen else "-"
        both = [row.get("latency_ratio") for row in (ours, plain)]  # each was timed beside FP32
        ratio = "-" if None in both else f"{both[0] / both[1]:.2f}"
        size = f"{_mb(plain)} → {_mb(ours)}"
        seconds = _number(ours.get("seconds"), 0)
        figures = [_lost(plain), _lost(ours), layers, _ratio(plain), _ratio(ours), ratio, size, seconds]
        lines.append([model, *figures])
    return f"Limit: at most {result['max_drop']:g} points.\n\n{_table(head, lines)}{_foot(result)}"


def _fidelity(row: Row | None) -> str:
    if row is None:
        return "-"
    return "failed" if "error" in row else f"{row['rest_fidelity']:.2f}"


def _about(row: Row, *keys: str) -> tuple[Any, ...]:
    return tuple(row[key] for key in keys)


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
    for model, rows in _by(result["rows"], "model").items():
        whole = next((r["macs"] for r in rows if r["recipe"] == "float"), None)
        for row in rows:
            who = [model, _recipe(row)]
            if "error" in row:
                lines.append([*who, f"failed: {_cell(row['error'])}", "", "", "", "", "", ""])
                continue
            plain = row["recipe"] == "float"
            gone = "-" if plain or whole is None else f"{100 * (1 - row['macs'] / whole):.1f} %"
            lost = "-" if plain else _lost(row)
            took = "-" if plain else f"{row['minutes']:.1f} ({row['computed_minutes']:.1f})"
            timed = ["-" if plain else _ratio(row), _ms(row["latency_s"]), _mb(row)]
            lines.append([*who, gone, _accuracy(row), lost, *timed, took])
    return _table(head, lines) + _foot(result)


def learn(result: Result) -> str:
    """One row for each recipe, those that learn and the same without learning."""
    head = ["model", "recipe", "accuracy", "points lost", "fidelity"]
    head += ["MB", "latency of FP32", "minutes", "of one core"]
    lines = []
    for rows in _by(result["rows"], "model").values():
        for row in sorted(rows, key=lambda r: (r["recipe"] != "float", r["recipe"])):
            learned = "qat" in row["recipe"]
            minutes = [_number(row.get(k) if learned else None, 1) for k in ("minutes", "computed_minutes")]
            lost = "-" if row["recipe"] == "float" else _lost(row)
            name = "float" if row["recipe"] == "float" else _recipe(row)
            same = _number(row.get("fidelity"), 1, 0.01)
            lines.append([row["model"], name, _accuracy(row), lost, same, _mb(row), _ratio(row), *minutes])
    return _table(head, lines) + _foot(result)


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
        same, size = _number(row.get("fidelity"), 1, 0.01), _number(row.get("size_ratio"), 3)
        beside = _ratio(row["of_int8"]) if "of_int8" in row else "-"
        lines.append([row["model"], f"`{row['recipe']}`", _lost(row), same, size, _ratio(row), beside])
    return _table(head, lines) + _foot(result)


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
    return _table(["after so many proposals", *counts], lines) + _foot(result, told)


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
            lines.append([row["model"], _recipe(row), f"failed: {_cell(row['error'])}", *[""] * 6])
            continue
        first = row["recipe"] == "float"
        sizes = [_number(row[key], 0, 1e3) for key in ("size_bytes", "packed_bytes")]
        lines.append(
            [
                row["model"],
                _recipe(row),
                _accuracy(row) if first else _lost({**row, "label": row["recipe"]}),
                *sizes,
                f"{row['ratio']:.2f}",
                "-" if first else _number(row["unpack_bytes_per_s"], 0, 1e6),
                "1" if first else _ratio(row),
                "-" if first else _number(row["minutes"], 1),
            ]
        )
    return _table(head, lines) + _foot(result)


def coders(result: Result) -> str:
    """Bytes that each coder makes of the large tensors of the same files, in parts of their entropy."""
    rows = [row for row in result["rows"] if "coders" in row and row["recipe"] != "float"]
    names = [name for name in rows[0]["coders"] if name not in ("plain", "entropy")] if rows else []
    lines = [
        [row["model"], _recipe(row), f"{row['coders']['plain']:,}", f"{row['coders']['entropy']:,}"]
        + [f"{row['coders'][name] / row['coders']['entropy']:.3f}" for name in names]
        for row in rows
    ]
    return _table(["model", "recipe", "bytes", "entropy of bytes", *names], lines) + _foot(result)


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
        parts.append(f"{title}:\n\n{_table([*head, f'lost at most {allowed / 2:g}', 'most lost'], lines)}")
    sources = ", ".join(sorted({f"`{row['source']}`" for row in result["rows"]}))
    return "\n\n".join(parts) + f"\n\n`{result['command']}`, from {sources}. Bold: the default.\n"


TABLES: dict[str, tuple[str, Callable[[Result], str]]] = {
    "summary": ("results.json", summary),
    "trials": ("results.json", trials),
    "parts": ("parts.json", parts),
    "ptq-peers": ("ptq_peers.json", peers),
    "ptq-peers-summary": ("ptq_peers.json", peers_summary),
    "calibration": ("calibration.json", calibration),
    "settling": ("calibration.json", settling),
    "latency": ("latency_ratio.json", latency),
    "cpus": ("avx2.json", cpus),
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
    "agreement": ("fidelity_limit.json", agreement),
    "coverage": ("interval_coverage.json", evidence_tables.coverage),
    "opens": ("report_opens.json", evidence_tables.opens),
}
"""Name between the markers -> file of results, and what writes the table."""


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _foot(result: Result, more: str = "") -> str:
    """Where the figures come from, in one paragraph, and what their marks mean."""
    packages = result["environment"]["packages"]
    own = [f"{name} {packages[name]}" for name in ("paredown", "onnxruntime") if name in packages]
    commands = dict.fromkeys(row["made_by"]["command"] for row in result.get("rows", ()) if "made_by" in row)
    parts = [
        ", ".join(f"`{c}`" for c in commands or [result["command"]]),
        str(result["date"])[:10],
        result["machine"],
    ]
    parts += [f"threads: {result['environment']['threads']}", *_counts(result["rows"]), *own]
    marked = (
        f" {DOUBTED}: the machine was too busy to believe this time." if _any_doubt(result["rows"]) else ""
    )
    return f"\n\n{', '.join(parts)}{more}.{marked}\n"


def _counts(rows: Sequence[Row]) -> list[str]:
    """How many images were calibrated on and judged on; more than one number where models differ."""
    told = [row.get("settings", row) for row in rows]
    found = []
    for key, word in (("images", "calibration images"), ("judged", "images judged on")):
        numbers = sorted({t[key] for t in told if key in t})
        found += [f"{word}: {' or '.join(map(str, numbers))}"] if numbers else []
    return found


def _any_doubt(rows: Sequence[Row]) -> bool:
    timed = [*rows] + [t for row in rows for t in row.get("latency", {}).values()]
    timed += [run for row in rows for run in row.get("repeats", ())]
    return any(t.get("doubts") for t in timed)


def _versions(rows: Sequence[Row]) -> str:
    found = {f"{name} {version}" for row in rows for name, version in row.get("versions", {}).items()}
    tools = ("nncf", "openvino", "aimet", "onnxruntime")
    named = sorted(text for text in found if text.startswith(tools))
    return f"; peers: {', '.join(named)}" if named else ""


def _recipe(row: Row) -> str:
    """The recipe, and what it learned from besides the calibration images."""
    more = row.get("learned_from")
    return f"`{row['recipe']}`" + (f" `--learn-from {more}`" if more else "")


def _by(rows: Iterable[Row], key: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


def _accuracy(row: Row) -> str:
    if row.get("accuracy") is None:
        return "failed" if "error" in row else "-"
    return f"{row['accuracy']:.4f}" + (" top-1" if str(row.get("metric")).endswith("top1") else "")


def _lost(row: Row | None) -> str:
    """Points lost with their interval; "all" where nothing is left."""
    if row is None:
        return "-"
    if "error" in row:
        return "-" if row["error"] == "not measured" else "failed"
    if row.get("points_lost") is None or row.get("label") == "float":
        return "-"
    low, high = row.get("points_low"), row.get("points_high")
    interval = "" if low is None or high is None else f" ({low:.1f} .. {high:.1f})"
    gone = ", nothing is left" if row["accuracy"] == 0 else ""
    return f"{row['points_lost']:.2f}{interval}{gone}"


def _compressed(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["peer"] != "float"]


def _points(row: Row) -> float:
    return float("inf") if row.get("points_lost") is None else float(row["points_lost"])


def _points_and_ratio(row: Row, lowest: float) -> str:
    """The least loss of a model in bold."""
    if "error" in row:
        return "failed"
    lost = f"{row['points_lost']:.2f}"
    ratios = [t["latency_ratio"] for t in row.get("latency", {}).values() if "latency_ratio" in t]
    ratio = f" ({min(ratios):.2f})" if ratios else ""
    return (f"**{lost}**" if row["points_lost"] == lowest else lost) + ratio


def _timed(found: Row | None) -> str:
    if found is None:
        return "-"
    if "error" in found:
        return "failed"
    return f"{_ms(found['latency_s'])} ms ({found['latency_ratio']:.2f}){_doubt(found)}"


def _ratio(row: Row) -> str:
    return _number(row.get("latency_ratio"), 2) + _doubt(row)


def _doubt(timed: Row) -> str:
    return DOUBTED if timed.get("doubts") else ""


def _ms(seconds: float | None) -> str:
    return _number(seconds, 1, 1e-3)


def _mb(row: Row) -> str:
    return _number(row.get("size_bytes"), 1, 1e6)


def _number(value: float | None, digits: int, unit: float = 1.0) -> str:
    return "-" if value is None else f"{value / unit:.{digits}f}"


def _cell(text: object) -> str:
    """A text that cannot break a table."""
    return " ".join(str(text).replace("|", "/").split())[:160]
