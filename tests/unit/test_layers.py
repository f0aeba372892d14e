"""The map in docs/design.md holds: imports go down only, shelves do not know each other, no torch in core."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "paredown"
LAYERS = {
    "agreement": 0,
    "card": 0,
    "checking": 0,
    "cores": 0,
    "detections": 0,
    "device": 0,
    "endurance": 0,
    "errors": 0,
    "files": 0,
    "machine": 0,
    "measurement": 0,
    "model": 0,
    "printable": 0,
    "policy": 0,
    "program_answer": 0,
    "protocols": 0,
    "quantities": 0,
    "reading": 0,
    "sample": 0,
    "no_telemetry": 0,
    "toml": 0,
    "typed": 0,
    "boxes": 1,
    "draw": 1,
    "graph": 1,
    "numerics": 1,
    "preprocessing": 1,
    "statistics": 1,
    "sensors": 1,
    "_compress": 2,
    "data": 2,
    "demo": 2,
    "families": 2,
    "hosts": 2,
    "metrics": 2,
    "runtimes": 2,
    "tasks": 3,
    "analyze": 3,
    "_measure": 3,
    "search": 3,
    "targets": 3,
    "study": 4,
    "_report": 4,
    "deploy": 4,
    "report_data": 5,
    "differences": 5,
    "endure": 5,
    "enduring": 5,
    "experiment": 5,
    "pictures": 5,
    "fed": 5,
    "torch_export": 5,
    "torch_files": 5,
    "torch_train": 5,
    "preparing": 5,
    "progress": 5,
    "screen": 5,
    "serving": 5,
    "saving": 5,
    "inputs": 5,
    "job": 5,
    "loading": 5,
    "measuring": 5,
    "api": 5,
    "cli": 5,
    "__init__": 5,
    "__main__": 5,
    "testing": 5,
}
SHELVES = {name for name, layer in LAYERS.items() if layer == 2}
FILES = sorted(SOURCE.rglob("*.py"))


MODULES = {".".join(("paredown", *p.relative_to(SOURCE).with_suffix("").parts)): p for p in FILES}
PACKAGES = {name.removesuffix(".__init__") for name in MODULES if name.endswith(".__init__")}
MODULES = {name.removesuffix(".__init__"): path for name, path in MODULES.items()}


def part_of(module: str) -> str:
    """What stands in `LAYERS` for a module: "graph" for paredown.graph.walk."""
    return [*module.split("."), "__init__"][1]


def imports_of(path: Path) -> set[str]:
    """The modules of this package that a file imports, wherever in the file, or names in a table."""
    named = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            named |= {name if name in MODULES else str(node.module) for name in inner}
        elif isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            named |= {node.value} - PACKAGES  # importlib.import_module("..."), not resources.files("...")
    return (named & MODULES.keys()) - {"paredown"}


def rings(needs: dict[str, set[str]]) -> list[str]:
    """Those that need each other in a ring, or lie between two rings; empty where there is none."""
    left = set(needs)
    while True:
        needed = {other for name in left for other in needs[name] - {name}}
        ringed = {name for name in left & needed if (needs[name] - {name}) & left}
        if ringed == left:
            return sorted(left)
        left = ringed


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module):
    part = part_of(module)
    assert part in LAYERS, f"say in tests/unit/test_layers.py and docs/design.md where {part} stands"
    for other in {part_of(name) for name in imports_of(MODULES[module])} - {part}:
        assert LAYERS[other] <= LAYERS[part], f"{part} imports {other}, which stands above it"
        both = {part, other} <= SHELVES
        assert not both, f"{part} and {other} are shelves: what one needs from the other comes as an argument"


def test_parts_form_no_ring():
    needs = {part: set() for part in LAYERS}
    for module in MODULES.keys() - {"paredown"}:
        needs[part_of(module)] |= {part_of(name) for name in imports_of(MODULES[module])}
    assert rings(needs) == []


def test_files_form_no_ring():
    assert rings({module: imports_of(path) for module, path in MODULES.items()}) == []


def test_a_ring_is_found():
    assert rings({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}, "e": set()}) == ["b", "c"]
    assert rings({"a": {"a", "b"}, "b": set()}) == []


ASKING = {"psutil", "platform", "resource", "subprocess"}  # modules that ask the machine
ON_THE_MACHINE = {"cores", "hosts", "sensors"}  # what may: `cores` is also in the bundle, on the device


def asks_the_machine(module: str) -> list[str]:
    """What in a file asks this machine: modules imported, or files of the system named."""
    found = [f"paredown.hosts.{name.rpartition('.')[2]}" for name in imports_of(MODULES[module])
             if name.startswith("paredown.hosts.") and name != "paredown.hosts.memory"]  # fmt: skip
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [str(node.module)]
            found += [name for name in names if name.partition(".")[0] in ASKING]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += [node.value] if node.value.startswith(("/proc/", "/sys/")) else []
    return found


@pytest.mark.parametrize("module", MODULES)
def test_only_a_host_asks_the_machine(module):
    if part_of(module) in ON_THE_MACHINE:
        return
    allowed = {
        "paredown.deploy.device_model": ["paredown.hosts.cpu"],  # carried to the device
        "paredown._measure.timing.watching": ["paredown.hosts.watch"],  # spawned on the host
        "paredown._measure.energy.marker": ["paredown.hosts.burst"],
        "paredown._measure.timing.interference": [
            "paredown.hosts.neighbour",
            "paredown.hosts.video_neighbour",
        ],
        "paredown._measure.timing.footprint": ["paredown.hosts.page_cache"],
        "paredown._measure.timing.lock": ["paredown.hosts.timing_lock"],
        "paredown.families.own_process": ["subprocess"],  # lines of the user's, wherever answers are read
        "paredown.study.engines.local": ["paredown.hosts.processes", "paredown.hosts.worker"],
        "paredown.study.lock": ["paredown.hosts.processes"],
        "paredown.torch_files": ["subprocess"],  # the user's module makes a file, in a process of its own
        "paredown.runtimes.pnnx": ["subprocess"],  # a converter: it makes files wherever it runs
    }
    assert sorted(asks_the_machine(module)) == allowed.get(module, []), "ask the Host that is handed on"


def test_what_asks_the_machine_is_found():
    assert "psutil" in asks_the_machine("paredown.hosts.local")
    assert "/proc/cpuinfo" in asks_the_machine("paredown.hosts.cpu")


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


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"]])
def test_help_loads_nothing_heavy(words):
    code = f"import sys; from paredown.cli import main; main({words})"
    code += "; heavy = {'numpy', 'onnx', 'cv2', 'rich', 'onnxruntime', 'plotly'} & set(sys.modules)"
    code += "; assert not heavy, heavy"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
