"""What of paredown works on a board, and which packages that needs: found by reading its imports.

The files go there as they stand here, in one zip known by its sha256; the packages in the versions that are
installed here, so that two machines differ in their processors and not in their software.
"""

from __future__ import annotations

import ast
import hashlib
import io
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from paredown.errors import TargetError
from paredown.no_telemetry import all_unloaded

SOURCE = Path(__file__).parents[2]
ALWAYS = "paredown.hosts.local"
"""The module that tells a board's facts, whatever runs there."""
_WHOLE = ("paredown.sensors",)  # packages whose files are imported by their names in a table
_SILENT = frozenset(canonicalize_name(name) for name in all_unloaded())


@dataclass(frozen=True)
class DevicePackage:
    """zipped: the code. pins: "numpy==2.4.6", ... installed_bytes: of the packages, once unpacked."""

    zipped: bytes
    sha256: str
    pins: tuple[str, ...]
    installed_bytes: int


@cache
def device_package(modules: tuple[str, ...] = ()) -> DevicePackage:
    """For those modules besides `ALWAYS`. Raises TargetError where a package is not installed here."""
    files, foreign = closure((ALWAYS, *modules))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:  # with one date, so that the same code has the same sha256
            entry = zipfile.ZipInfo(path.relative_to(SOURCE).as_posix())
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    zipped, packages = buffer.getvalue(), distributions(foreign)
    return DevicePackage(
        zipped,
        hashlib.sha256(zipped).hexdigest(),
        tuple(f"{name}=={metadata.version(name)}" for name in packages),
        sum(file.size or 0 for name in packages for file in metadata.files(name) or ()),
    )


def closure(modules: Iterable[str]) -> tuple[list[Path], set[str]]:
    """The files of ours that those modules import, and the foreign packages that these import."""
    todo, files, foreign = list(modules), set[Path](), set[str]()
    while todo:
        name = todo.pop()
        for module in _with_parents(name):
            path = _file_of(module)
            if path is None or path in files:
                continue
            files.add(path)
            if module in _WHOLE:
                todo += [f"{module}.{file.stem}" for file in path.parent.glob("*.py") if file != path]
            for imported in imports_of(path):
                if imported.partition(".")[0] == "paredown":
                    todo.append(imported)
                else:
                    foreign.add(imported.partition(".")[0])
    return sorted(files), foreign - sys.stdlib_module_names


def imports_of(path: Path) -> set[str]:
    """The modules that a file imports: all that are named at its start, and foreign ones named anywhere.

    Those of ours that a function imports when it is called are for making models, which is not done there.
    """
    tree, found = ast.parse(path.read_text(encoding="utf-8")), set()
    for node in ast.walk(tree):
        call = node if isinstance(node, ast.Call) else None
        if call is not None and ast.unparse(call.func).endswith(("import_module", "_import")):
            words = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            found |= {word for word in words if not word.startswith("paredown")}
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            found |= {statement.module, *(f"{statement.module}.{a.name}" for a in statement.names)}
    return found


def distributions(packages: Iterable[str]) -> list[str]:
    """What to install for those import names: the distributions installed here, and what these require."""
    names = metadata.packages_distributions()
    todo, found = [], set()
    for package in packages:
        if package not in names:
            raise TargetError(
                "a board gets the packages that are installed here, in their versions",
                got=f"{package} is not installed",
                hint="`paredown list runtimes` tells what installs a runtime",
            )
        own = [name for name in names[package] if canonicalize_name(name) == canonicalize_name(package)]
        todo += own or names[package]  # a name may be shared, as `google` is
    while todo:
        name = canonicalize_name(todo.pop())
        if name in found or name in _SILENT:
            continue
        found.add(name)
        wanted = map(Requirement, metadata.requires(name) or ())
        todo += [r.name for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    return sorted(found)


def _with_parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


def _file_of(module: str) -> Path | None:
    """Its source; None for a name that is no module, such as a class in one."""
    base = SOURCE.joinpath(*module.split("."))
    return next((p for p in (base / "__init__.py", base.with_suffix(".py")) if p.is_file()), None)
