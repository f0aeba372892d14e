"""One file out of the package: what is taken, what is refused."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

import pytest

from paredown.deploy.script import detect_script
from paredown.deploy.single_file import SingleFileError, parse_module, single_file, verify
from paredown.families import FAMILIES
from paredown.runtimes import RUNTIMES
from paredown.runtimes import runtime as find_runtime


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that writes modules into a package of its own, which stands in for this one."""
    monkeypatch.setattr("paredown.deploy.single_file.PACKAGE", "taken_away")
    monkeypatch.syspath_prepend(str(tmp_path))
    parse_module.cache_clear()
    (tmp_path / "taken_away").mkdir()
    (tmp_path / "taken_away" / "__init__.py").write_text("")

    def write(**modules: str) -> None:
        for name, text in modules.items():
            (tmp_path / "taken_away" / f"{name}.py").write_text(text)
        importlib.invalidate_caches()

    yield write
    for name in [n for n in sys.modules if n.split(".")[0] == "taken_away"]:
        del sys.modules[name]
    parse_module.cache_clear()


@pytest.mark.parametrize("runtime", sorted(RUNTIMES))
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_fits_into_one_file_with_every_runtime(family: str, runtime: str) -> None:
    text = detect_script(family, runtime)
    compile(text, "detect.py", "exec")
    verify(text)
    assert "paredown" not in {n.split(".")[0] for n in imported(text)}
    assert len(text.splitlines()) < 1800
    package = find_runtime(runtime).SHIPS.package.replace("-", "_")
    others = {"onnxruntime", "openvino", "ncnn", "ai_edge_litert", "tensorrt"} - {package}
    assert not others & (imported(text) | asked_for(text)), "needs another runtime"


def asked_for(text: str) -> set[str]:
    """The packages that `import_module("package.module")` names."""
    calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
    named = [n.args[0] for n in calls if getattr(n.func, "id", "") == "import_module"]
    return {str(a.value).split(".")[0] for a in named if isinstance(a, ast.Constant)}


def imported(text: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
    return found


def test_only_what_is_reached_is_taken_with_its_comment_and_in_order(package) -> None:
    package(
        a="import os\nimport json\nfrom taken_away.b import twice\n\n\ndef unused():\n    os.abort()\n\n\n"
        "# Why it is so.\n@staticmethod\ndef root(x):\n    return json.dumps(twice(x))\n",
        b="TWO = 2\n\n\ndef twice(x):\n    return TWO * x\n\n\nclass Unused:\n    pass\n",
    )
    text = single_file([("taken_away.a", "root")], head="Head.", tail="print(root(4))")
    assert "Unused" not in text
    assert "unused" not in text
    assert "import os" not in text
    assert "# Why it is so.\n@staticmethod\ndef root" in text
    assert text.index("TWO = 2") < text.index("def twice") < text.index("def root")
    space: dict[str, object] = {"print": lambda value: space.update(said=value)}
    exec(compile(text, "single_file", "exec"), space)
    assert space["said"] == "8"


def test_two_definitions_of_one_name_are_refused(package) -> None:
    package(
        a="from taken_away.b import use\n\n\ndef same():\n    return 1\n\n\n"
        "def root():\n    return same(), use()\n",
        b="def same():\n    return 2\n\n\ndef use():\n    return same()\n",
    )
    with pytest.raises(SingleFileError, match="'same' is defined in"):
        single_file([("taken_away.a", "root")], head="", tail="")


def test_a_foreign_import_is_refused(package) -> None:
    package(a="import onnx\n\n\ndef root():\n    return onnx\n")
    with pytest.raises(SingleFileError, match="foreign"):
        single_file([("taken_away.a", "root")], head="", tail="")


def test_a_name_nobody_defines_is_refused() -> None:
    with pytest.raises(SingleFileError, match="does not define"):
        verify("def f():\n    return missing\n")
    with pytest.raises(SingleFileError, match="not valid Python"):
        verify("def f(:\n")


def test_a_missing_root_is_named(package) -> None:
    package(a="x = 1\n")
    with pytest.raises(SingleFileError, match="does not define 'root'"):
        single_file([("taken_away.a", "root")], head="", tail="")
