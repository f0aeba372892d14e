"""What stands in the cells and below the benchmarks' markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]
Row = Mapping[str, Any]

DOUBTED = "&nbsp;?"


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def foot(result: Result, more: str = "") -> str:
    """Where the figures come from, in one paragraph, and what their marks mean."""
    packages = result["environment"]["packages"]
    own = [f"{name} {packages[name]}" for name in ("paredown", "onnxruntime") if name in packages]
    commands = dict.fromkeys(row["made_by"]["command"] for row in result.get("rows", ()) if "made_by" in row)
    parts = [
        ", ".join(f"`{c}`" for c in commands or [result["command"]]),
        str(result["date"])[:10],
        *machines(result),
    ]
    parts += [f"threads: {result['environment']['threads']}", *counts(result["rows"]), *own]
    marked = (
        f" {DOUBTED}: the machine was too busy to believe this time." if any_doubt(result["rows"]) else ""
    )
    return f"\n\n{', '.join(parts)}{more}.{marked}\n"


def machines(result: Result) -> list[str]:
    """The machine of the rows; where there are several, each with its models."""
    found: dict[str, dict[str, None]] = {}
    for row in result.get("rows", ()):
        found.setdefault(row.get("made_by", {}).get("machine", result["machine"]), {})[
            row.get("model", "")
        ] = None
    if len(found) < 2:
        return list(found) or [result["machine"]]
    return [f"{machine} ({', '.join(models)})" for machine, models in found.items()]


def counts(rows: Sequence[Row]) -> list[str]:
    """How many images were calibrated on and judged on; more than one number where models differ."""
    told = [row.get("settings", row) for row in rows]
    found = []
    for key, word in (("images", "calibration images"), ("judged", "images judged on")):
        numbers = sorted({t[key] for t in told if key in t})
        found += [f"{word}: {' or '.join(map(str, numbers))}"] if numbers else []
    return found


def any_doubt(rows: Sequence[Row]) -> bool:
    timed = [*rows] + [t for row in rows for t in row.get("latency", {}).values()]
    timed += [run for row in rows for run in row.get("repeats", ())]
    timed += [row["beside_paredown"] for row in rows if "beside_paredown" in row]
    return any(t.get("doubts") for t in timed)


def versions(rows: Sequence[Row]) -> str:
    found = {f"{name} {version}" for row in rows for name, version in row.get("versions", {}).items()}
    tools = ("nncf", "openvino", "aimet", "onnxruntime")
    named = sorted(text for text in found if text.startswith(tools))
    return f"; peers: {', '.join(named)}" if named else ""


def recipe(row: Row) -> str:
    """The recipe, and what it learned from besides the calibration images."""
    more = row.get("learned_from")
    return f"`{row['recipe']}`" + (f" `--learn-from {more}`" if more else "")


def by(rows: Iterable[Row], key: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


def accuracy(row: Row) -> str:
    if row.get("accuracy") is None:
        return "failed" if "error" in row else "-"
    return f"{row['accuracy']:.4f}" + (" top-1" if str(row.get("metric")).endswith("top1") else "")


def lost(row: Row | None) -> str:
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


def timed(found: Row | None) -> str:
    if found is None:
        return "-"
    if "error" in found:
        return "failed"
    return f"{ms(found['latency_s'])} ms ({found['latency_ratio']:.2f}){doubt(found)}"


def ratio(row: Row) -> str:
    return number(row.get("latency_ratio"), 2) + doubt(row)


def doubt(timed: Row) -> str:
    return DOUBTED if timed.get("doubts") else ""


def ms(seconds: float | None) -> str:
    return number(seconds, 1, 1e-3)


def mb(row: Row) -> str:
    return number(row.get("size_bytes"), 1, 1e6)


def number(value: float | None, digits: int, unit: float = 1.0) -> str:
    return "-" if value is None else f"{value / unit:.{digits}f}"


def cell(text: object) -> str:
    """A text that cannot break a table."""
    return " ".join(str(text).replace("|", "/").split())[:160]


def fidelity(row: Row | None) -> str:
    if row is None:
        return "-"
    return "failed" if "error" in row else f"{row['rest_fidelity']:.2f}"


def about(row: Row, *keys: str) -> tuple[Any, ...]:
    return tuple(row[key] for key in keys)
