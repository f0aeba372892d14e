"""The map in docs/design.md holds: imports go down only, shelves do not know each other, no torch in core."""

from __future__ import annotations

import ast
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "paredown"
LAYERS = {
    "agreement": 0,
    "card": 0,
    "checking": 0,
    "detections": 0,
    "errors": 0,
    "files": 0,
    "machine": 0,
    "measurement": 0,
    "model": 0,
    "printable": 0,
    "profile": 0,
    "protocols": 0,
    "reading": 0,
    "sample": 0,
    "telemetry": 0,
    "graph": 1,
    "numerics": 1,
    "preprocessing": 1,
    "_compress": 2,
    "data": 2,
    "demo": 2,
    "families": 2,
    "hosts": 2,
    "metrics": 2,
    "analyze": 3,
    "_measure": 3,
    "search": 3,
    "targets": 3,
    "study": 4,
    "_report": 4,
    "deploy": 4,
    "report_data": 5,
    "differences": 5,
    "pictures": 5,
    "progress": 5,
    "screen": 5,
    "saving": 5,
    "inputs": 5,
    "job": 5,
    "api": 5,
    "cli": 5,
    "__init__": 5,
    "__main__": 5,
}
SHELVES = {name for name, layer in LAYERS.items() if layer == 2}
FILES = sorted(SOURCE.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """The parts of this package that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "paredown":
            found |= {alias.name for alias in node.names if alias.name in LAYERS}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("paredown."):
            found.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("paredown.")}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            named = re.fullmatch(r"paredown\.(\w+)(\.\w+)*", node.value)  # importlib.import_module("...")
            found |= {named[1]} if named and named[1] in LAYERS else set()
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_down_only(path):
    part = part_of(path)
    assert part in LAYERS, f"say in tests/unit/test_layers.py and docs/design.md where {part} stands"
    for other in imports_of(path) - {part}:
        assert LAYERS[other] <= LAYERS[part], f"{part} imports {other}, which stands above it"
        both = {part, other} <= SHELVES
        assert not both, f"{part} and {other} are shelves: what one needs from the other comes as an argument"


def test_parts_form_no_ring():
    needs = {part: set() for part in LAYERS}
    for path in FILES:
        if part_of(path) != "__init__":
            needs[part_of(path)] |= imports_of(path) - {part_of(path), "__init__"}
    while needs:
        free = [part for part, others in needs.items() if not others & needs.keys()]
        assert free, f"these import each other in a ring: {sorted(needs)}"
        for part in free:
            del needs[part]


def test_core_imports_without_torch():
    code = "import sys; sys.modules['torch'] = None; import paredown.api, paredown.job, paredown.cli.run"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there():
    code = (
        "import paredown; [getattr(paredown, n) for n in paredown.__all__]; assert len(paredown.__all__) < 35"
    )
    code += "; import paredown._compress.recipe, paredown._report, paredown._measure.doctor"
    code += (
        "; assert callable(paredown.compress) and callable(paredown.report) and callable(paredown.measure)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_is_quick():
    times = []  # of the processor: what else the machine does must not fail a test
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "paredown", "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.3
    code = "import sys; from paredown.cli import main; main(['run', '--help'])"
    code += "; heavy = {'numpy', 'onnx', 'cv2', 'rich', 'onnxruntime', 'plotly'} & set(sys.modules)"
    code += "; assert not heavy, heavy"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
