"""Draws docs/house.svg: the parts of the package on their layers, and which parts each imports.

    python tools/draw_house.py [docs/house.svg]

The layers are those that tests/unit/test_layers.py watches; imports are read from the source. A line goes
down from the part that imports to the part imported: the picture shows what a change of a part can reach.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "paredown"
LAYERS_FILE = ROOT / "tests" / "unit" / "test_layers.py"
TITLES = {
    5: "verbs and wiring",
    4: "a study, its report, what ships",
    3: "measuring, statistics, search; tasks; targets",
    2: "shelves: one file an item, none imports another",
    1: "graphs, number formats, preprocessing",
    0: "nouns, protocols, errors, borders",
}
WIDTH, LEFT, TOP, ROW, GAP, HEIGHT, LETTER = 1240, 20, 30, 38, 14, 26, 7.4


def layers() -> dict[str, int]:
    """Part -> the layer it stands on."""
    for node in ast.parse(LAYERS_FILE.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LAYERS":
            found: dict[str, int] = ast.literal_eval(node.value)
            return found
    raise SystemExit(f"{LAYERS_FILE.name} holds no LAYERS")


def imports(parts: dict[str, int]) -> set[tuple[str, str]]:
    """(part that imports, part imported), those to layer 0 left out: everything may use it."""
    found = set()
    for path in sorted(SOURCE.rglob("*.py")):
        part = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("paredown."):
                other = str(node.module).split(".")[1]
                if other != part and parts.get(other, 0) > 0 and part in parts:
                    found.add((part, other))
    return found


def placed(parts: dict[str, int]) -> tuple[dict[str, tuple[float, float, float]], dict[int, float], float]:
    """Part -> x, y and width of its box; layer -> where its title stands; the height of all."""
    boxes: dict[str, tuple[float, float, float]] = {}
    titles: dict[int, float] = {}
    y = float(TOP)
    for layer in sorted(TITLES, reverse=True):
        titles[layer] = y
        x, y = float(LEFT), y + 14
        for part in sorted((p for p, n in parts.items() if n == layer), key=str.lower):
            width = len(label(part)) * LETTER + 18
            if x + width > WIDTH - LEFT:
                x, y = float(LEFT), y + ROW
            boxes[part] = (x, y, width)
            x += width + GAP
        y += ROW + 34
    return boxes, titles, y


def label(part: str) -> str:
    return f"{part}/" if (SOURCE / part).is_dir() else f"{part}.py"


def draw() -> str:
    """The picture as SVG; light and dark follow the page's colour scheme."""
    parts = layers()
    boxes, titles, height = placed(parts)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        'aria-label="The parts of Paredown on their layers">',
        "<style>text{font:12px ui-monospace,monospace;fill:#1c2733}.t{font-weight:600;fill:#5b6b7b}"
        "rect{fill:#eef3f8;stroke:#9fb2c5}path{fill:none;stroke:#7d93a8;stroke-opacity:.35}"
        "@media(prefers-color-scheme:dark){text{fill:#dbe5ee}.t{fill:#8fa3b6}rect{fill:#1e2a36;stroke:#4b6073}}"
        "</style>",
    ]
    for part, other in sorted(imports(parts)):
        (x1, y1, w1), (x2, y2, w2) = boxes[part], boxes[other]
        a, b = x1 + w1 / 2, x2 + w2 / 2
        if y2 > y1:
            middle = (y1 + HEIGHT + y2) / 2
            curve = f"C{a:.0f} {middle:.0f} {b:.0f} {middle:.0f} {b:.0f} {y2:.0f}"
            lines.append(f'<path d="M{a:.0f} {y1 + HEIGHT:.0f}{curve}"/>')
        else:
            above = y1 - 12
            lines.append(
                f'<path d="M{a:.0f} {y1:.0f}C{a:.0f} {above:.0f} {b:.0f} {above:.0f} {b:.0f} {y2:.0f}"/>'
            )
    for layer, y in titles.items():
        lines.append(f'<text class="t" x="{LEFT}" y="{y:.0f}">{layer}  {escape(TITLES[layer])}</text>')
    for part, (x, y, width) in boxes.items():
        lines.append(f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{HEIGHT}" rx="5"/>')
        lines.append(f'<text x="{x + 9:.0f}" y="{y + 17:.0f}">{escape(label(part))}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


if __name__ == "__main__":
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "house.svg"
    out.write_text(draw(), encoding="utf-8")
    print(out)
