"""What the package needs is what it says it needs, and what its errors tell to install exists."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

from paredown._compress.recipe import EXTRAS
from paredown._compress.steps import STEPS
from paredown.errors import MissingDependency

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "paredown"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DISTRIBUTIONS = {  # module -> distribution, where they differ
    "cv2": "opencv-python-headless",
    "google": "protobuf",
    "onnx_ir": "onnx-ir",
    "yaml": "pyyaml",
    "faster_coco_eval": "faster-coco-eval",
}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~ \[;]", r)[0].lower().replace("_", "-") for r in requirements}


CORE = names(PROJECT["dependencies"])
OPTIONAL = {extra: names(listed) for extra, listed in PROJECT["optional-dependencies"].items()}


def third_party(path: Path) -> set[str]:
    """The top-level modules a file imports, wherever and however."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).split(".")[0])
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "import_module",
            "files",
        ):
            found |= {a.value.split(".")[0] for a in node.args if isinstance(a, ast.Constant)}
    return found - set(sys.stdlib_module_names) - {"paredown", "__future__"}


OWN_WAYS = {"ultralytics"}  # it pins a torch of gigabytes: asked for by name, where its files are given


def test_every_import_is_declared() -> None:
    optional = OWN_WAYS.union(*(packages for extra, packages in OPTIONAL.items() if extra != "dev"))
    imported = {module: path for path in SOURCE.rglob("*.py") for module in third_party(path)}
    assert {"numpy", "ml_dtypes", "google", "torch", "optuna", "plotly"} <= set(imported)
    for module, path in imported.items():
        package = DISTRIBUTIONS.get(module, module).lower().replace("_", "-")
        assert package in CORE | optional, f"{path.name} imports {module}, which pyproject does not declare"


def test_every_package_declared_is_imported() -> None:
    imported = {DISTRIBUTIONS.get(m, m) for path in SOURCE.rglob("*.py") for m in third_party(path)}
    assert {package.lower().replace("_", "-") for package in imported} >= CORE


def test_extras_named_in_errors_exist() -> None:
    named: dict[str, str] = {}  # extra -> package
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "MissingDependency":
                package, extra = (a.value if isinstance(a, ast.Constant) else "" for a in node.args[:2])
                if len(node.args) > 3:  # a command of its own installs it
                    assert not isinstance(node.args[3], ast.Constant) or package in node.args[3].value
                elif extra is None:
                    assert package in CORE
                elif extra:
                    named[extra] = package
    assert {"train", "search"} <= set(named)
    for package, extra in [*((p, e) for e, p in named.items()), *EXTRAS.items()]:
        assert package in OPTIONAL[extra]
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *SOURCE.rglob("*.py")):
        for extra in re.findall(r"paredown\[(\w+)\]", path.read_text(encoding="utf-8")):
            assert extra in OPTIONAL or extra == "extra", f"{path.name} names the extra {extra!r}"


def test_the_hint_of_a_core_package_names_no_extra() -> None:
    assert "paredown[" not in str(MissingDependency("plotly", None, "the report"))


@pytest.mark.parametrize("kind", STEPS)
def test_a_step_names_packages_of_an_extra(kind: str) -> None:
    step = STEPS[kind][0]()
    assert set(step.packages) <= set(EXTRAS)
