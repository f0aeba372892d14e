"""One stand-alone Python file, made of this package's own sources.

From the names asked for, every definition they reach is followed through `from paredown.x import y` and taken
over as it stands in its file, comments included; nothing else is. So the code on the device is the code that
was measured.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from paredown.errors import ParedownError

PACKAGE = "paredown"
ALLOWED = frozenset({"numpy", "cv2", "onnxruntime"})


class SingleFileError(ParedownError):
    """The package's own sources do not fit into one file: a mistake in Paredown, not in what was asked."""


@dataclass(frozen=True)
class Definition:
    """A top-level definition: its text, the names it binds and the names it uses. `line`: where it stands."""

    line: int
    text: str
    binds: tuple[str, ...]
    uses: frozenset[str]
    block: bool  # a function or a class


@dataclass(frozen=True)
class Module:
    """One module, parsed. `ours`: name -> (module, name there); `theirs`: name -> import statement."""

    module: str
    definitions: Mapping[str, Definition]
    ours: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    theirs: Mapping[str, str] = field(default_factory=dict)


def single_file(roots: Sequence[tuple[str, str]], *, head: str, tail: str, first: str = "") -> str:
    """The source of one file with everything that the roots (module, name) reach.

    Modules stand in the order of their imports, what is taken of each in its own order.
    head: the file's docstring. first: lines before all imports. tail: the last lines, which may use the roots
    by name.

    Raises: SingleFileError where two definitions share a name, or something foreign would be imported.
    """
    taken: dict[str, set[Definition]] = {}
    imports: set[str] = set()
    owner: dict[str, tuple[str, int]] = {}
    for module, name in roots:
        _collect(module, name, taken, imports, owner)
    top = ["#!/usr/bin/env python3", f'"""{head}"""', "", "from __future__ import annotations", ""]
    top += [first.rstrip(), ""] if first else []
    ordered = {module: taken[module] for module in _imported_first(taken)}
    text = "\n".join([*top, *_merged(imports), *_laid_out(ordered), "", "", tail.rstrip(), ""])
    verify(text)
    return text


def _imported_first(modules: Iterable[str]) -> list[str]:
    """Those modules, each behind all that it imports."""
    wanted, seen, ordered = list(modules), set[str](), list[str]()

    def visit(module: str) -> None:
        if module in seen:
            return
        seen.add(module)
        for other, _ in parse_module(module).ours.values():
            visit(other)
        ordered.append(module)

    for module in wanted:
        visit(module)
    return [module for module in ordered if module in wanted]


def _merged(imports: set[str]) -> list[str]:
    """One statement per module, the standard library first."""
    names: dict[str, list[str]] = {}
    for statement in sorted(imports):
        before, _, name = statement.rpartition("import ")
        names.setdefault(before or statement, []).append(name)
    merged = [f"{key}import {', '.join(n)}" if key.startswith("from ") else key for key, n in names.items()]
    standard = [s for s in merged if _package_of(s) not in ALLOWED]
    return [*standard, "", *(s for s in merged if s not in standard)]


def _laid_out(taken: Mapping[str, set[Definition]]) -> list[str]:
    """The definitions under the names of their files, two lines apart around functions and classes."""
    lines: list[str] = []
    for module, definitions in taken.items():
        lines += ["", "", f"# ---- {module.replace('.', '/')}.py"]
        apart = False
        for definition in sorted(definitions, key=lambda d: d.line):
            lines += ["", ""] if apart or definition.block else []
            lines.append(definition.text)
            apart = definition.block
    return lines


def _collect(
    module: str,
    name: str,
    taken: dict[str, set[Definition]],
    imports: set[str],
    owner: dict[str, tuple[str, int]],
) -> None:
    """Take the definition of `name` and everything that it uses."""
    parsed = parse_module(module)
    if name in parsed.ours:
        return _collect(*parsed.ours[name], taken, imports, owner)
    if name in parsed.theirs:
        imports.add(parsed.theirs[name])
        return None
    if name not in parsed.definitions:
        raise SingleFileError(f"{module} does not define {name!r}")
    definition = parsed.definitions[name]
    here = (module, definition.line)
    if owner.get(name, here) != here:
        raise SingleFileError(f"{name!r} is defined in {module} and in {owner[name][0]}")
    if name in owner:
        return None
    owner.update(dict.fromkeys(definition.binds, here))
    taken.setdefault(module, set()).add(definition)
    for used in sorted(definition.uses):
        if used in parsed.definitions or used in parsed.ours or used in parsed.theirs:
            _collect(module, used, taken, imports, owner)
    return None


@cache
def parse_module(module: str) -> Module:
    """The module's definitions and imports. The module itself is not run."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise SingleFileError(f"no source of {module}")
    text = Path(spec.origin).read_text(encoding="utf-8")
    lines = text.splitlines()
    definitions: dict[str, Definition] = {}
    ours: dict[str, tuple[str, str]] = {}
    theirs: dict[str, str] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            ours |= {a.asname or a.name: (str(node.module), a.name) for a in node.names}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            theirs |= dict(_spelled(node))
        elif names := _bound_by(node):
            block = isinstance(node, ast.FunctionDef | ast.ClassDef)
            definition = Definition(node.lineno, _text_of(node, lines), names, _used_by(node), block)
            definitions |= dict.fromkeys(names, definition)
    return Module(module, definitions, ours, theirs)


def _spelled(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """(bound name, import statement) of each alias."""
    for alias in node.names:
        renamed = f" as {alias.asname}" if alias.asname else ""
        before = f"from {node.module} " if isinstance(node, ast.ImportFrom) else ""
        yield alias.asname or alias.name.split(".")[0], f"{before}import {alias.name}{renamed}"


def _bound_by(node: ast.stmt) -> tuple[str, ...]:
    """The names a definition binds; none for docstrings, `if TYPE_CHECKING:` and other statements."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return (name,)
        case ast.Assign(targets=targets):
            return tuple(n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            return (name,)
    return ()


def _used_by(node: ast.stmt) -> frozenset[str]:
    return frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name))


def _text_of(node: ast.stmt, lines: Sequence[str]) -> str:
    """The definition as written, with its decorators and the comment right above it."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(d.lineno for d in decorators)]) - 1
    while first > 0 and lines[first - 1].startswith("#"):
        first -= 1
    return "\n".join(lines[first : node.end_lineno])


def verify(text: str) -> None:
    """Raises SingleFileError unless the text is Python, imports nothing foreign and knows all its names."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise SingleFileError("the single file is not valid Python", got=str(error)) from error
    allowed = ALLOWED | set(sys.stdlib_module_names)
    bound = set(dir(builtins)) | {"__file__", "__name__"}
    for node in ast.walk(tree):
        match node:
            case ast.Import() | ast.ImportFrom():
                foreign = {_package_of(s) for _, s in _spelled(node)} - allowed
                if foreign:
                    raise SingleFileError(
                        "the single file would import something foreign", got=sorted(foreign)
                    )
                bound |= {a.asname or a.name.split(".")[0] for a in node.names}
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
                bound.add(name)
            case ast.arg(arg=name):
                bound.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.MatchAs(name=str(name)):
                bound.add(name)
    unknown = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} - bound
    if unknown:
        raise SingleFileError("the single file uses names it does not define", got=sorted(unknown))


def _package_of(statement: str) -> str:
    """ "numpy" of "from numpy.typing import NDArray" """
    return statement.split()[1].split(".")[0]
