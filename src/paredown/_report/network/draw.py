"""The boxes and lines of a graph as SVG. Colours come from the page's style sheet, by the class of a box."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from paredown._report.format import count, number, plural
from paredown._report.html import Html, tag
from paredown._report.layer_rows import WORDS, LayerRow
from paredown._report.network.groups import Group, groups_of
from paredown._report.network.layout import Point, layout

WIDE, HIGH, STEP = 176.0, 40.0, 66.0
LETTER, SMALL = 7.5, 6.3  # pixels of a letter in a box's two lines
MEMBERS = 12  # named when pointing at a box


def drawing(rows: Sequence[LayerRow]) -> Html:
    """The graph of one model; an element of width and height in pixels, to be scrolled and scaled."""
    groups = groups_of(rows)
    placed = layout([g.inputs for g in groups], WIDE, STEP)
    lines = [tag("path", d=_curve(points), class_="edge") for points in placed.lines.values()]
    boxes = [_box(g, i, centre) for i, (g, centre) in enumerate(zip(groups, placed.centres, strict=True))]
    return tag(
        "svg",
        tag("title", "The graph of the model; colours say in which numbers a layer computes"),
        tag("g", lines),
        tag("g", boxes),
        class_="network",
        viewBox=f"0 0 {placed.width:.0f} {placed.height:.0f}",
        width=f"{placed.width:.0f}",
        height=f"{placed.height:.0f}",
        role="img",
    )


def _curve(points: Sequence[Point]) -> str:
    """From the lower edge of the first box to the upper edge of the last."""
    ends = [(x, y) for x, y in points]
    ends[0] = (ends[0][0], ends[0][1] + HIGH / 2)
    ends[-1] = (ends[-1][0], ends[-1][1] - HIGH / 2)
    words = [f"M{ends[0][0]:.0f} {ends[0][1]:.0f}"]
    for (x1, y1), (x2, y2) in pairwise(ends):
        middle = (y1 + y2) / 2
        words.append(f"C{x1:.0f} {middle:.0f} {x2:.0f} {middle:.0f} {x2:.0f} {y2:.0f}")
    return "".join(words)


def _box(group: Group, index: int, centre: Point) -> Html:
    x, y = centre[0] - WIDE / 2, centre[1] - HIGH / 2
    main, room = group.main.layer, WIDE - 24
    bits = main.bits
    ms = "" if group.ms is None else f"{number(group.ms, 2)} ms"
    return tag(
        "g",
        tag("title", _told(group)),
        tag("rect", x=f"{x:.0f}", y=f"{y:.0f}", width=f"{WIDE:.0f}", height=f"{HIGH:.0f}", rx="6"),
        _text(_ops(group, int(room / LETTER) - len(bits)), x + 9, y + 16),
        _text(bits, x + WIDE - 9, y + 16, class_="end"),
        _text(_short(main.name, int(room / SMALL) - len(ms)), x + 9, y + 32, class_="small"),
        _text(ms, x + WIDE - 9, y + 32, class_="small end"),
        class_=f"box k-{group.kind}",
        data_layers=" ".join(str(r.place) for r in group.rows),
        data_box=str(index),
        tabindex="0",
    )


def _text(words: str, x: float, y: float, class_: str | None = None) -> Html:
    return tag("text", words, x=f"{x:.0f}", y=f"{y:.0f}", class_=class_)


def _ops(group: Group, letters: int) -> str:
    """ "Conv, Sigmoid, Mul", or "3 x Conv, Relu" where several of the main operation share the box."""
    counts = Counter(r.layer.op for r in group.rows)
    main = group.main.layer.op
    if {"Sigmoid", "Mul"} <= counts.keys():
        counts = Counter({"SiLU" if op == "Sigmoid" else op: n for op, n in counts.items() if op != "Mul"})
    names = [f"{counts[main]} {chr(215)} {main}" if counts[main] > 1 else main]
    words = ", ".join(names + [op for op in counts if op != main])
    return words if len(words) <= letters else words[: letters - 1].rstrip(", ") + "\u2026"


def _short(name: str, letters: int) -> str:
    """The end of a node's name, whole parts of its path as far as they fit."""
    parts = [p for p in name.split("/") if p]
    if parts and len(parts) > 1 and not any(c.isdigit() for c in parts[-1]):
        parts.pop()  # the operation's own name, which stands above
    words = parts.pop() if parts else name
    while parts and len(parts[-1]) + 1 + len(words) <= letters:
        words = f"{parts.pop()}/{words}"
    return words if len(words) <= letters else "\u2026" + words[-(letters - 1) :]


def _told(group: Group) -> str:
    """What pointing at a box shows."""
    shape = chr(215).join(str(d) for d in group.rows[-1].layer.shape)
    macs = sum(r.layer.macs for r in group.rows)
    lines = [f"{plural(len(group.rows), 'layer')}: {WORDS[group.kind]}"]
    lines += [f"{r.layer.op} {r.layer.name}: {r.layer.bits}" for r in group.rows[:MEMBERS]]
    if len(group.rows) > MEMBERS:
        lines.append(f"and {len(group.rows) - MEMBERS} more")
    lines += [f"{count(macs)} multiply-accumulates"] if macs else []
    lines += [f"gives {shape}"] if shape else []
    lines += [f"{number(group.ms, 3)} ms here"] if group.ms is not None else []
    return "\n".join(lines + ([group.main.why] if group.main.why else []))
