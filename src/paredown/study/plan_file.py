"""The file of a study of several models: read, checked, written. `docs/studies.md` shows one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from paredown.errors import UnknownName, UsageError
from paredown.study.limits import read_limits
from paredown.study.options import Options, in_table
from paredown.study.plan import ONE_MODEL, SAID_ELSEWHERE, Matrix, Place, Plan, PlannedModel, folder_name
from paredown.study.published import Published
from paredown.toml import read_toml, toml_lines, toml_text
from paredown.typed import build

TABLES = ("study", "models", "places", "limits", "options", "published")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


def read_plan(path: Path) -> Plan:
    """The plan in a TOML file, on top of the one that its [study] `base` names, if any.

    What a file says goes before what its base says: keys of [study], [limits] and [options] one by one,
    models by their labels, places and published figures as a whole. Raises UsageError, with a did-you-mean
    for what is not known.
    """
    tables = read_toml(path, what="the study", error=UsageError)
    study = tables.get("study", {})
    base = study.pop("base", None) if isinstance(study, dict) else None
    if base is None:
        return parse_plan(tables)
    if not isinstance(base, str):
        raise UsageError("[study] base has a value of the wrong type", got=repr(base), expected="a text")
    below = read_toml(path.parent / base, what="the base of the study", error=UsageError)
    if "base" in below.get("study", {}):
        raise UsageError(f"{base}, the base of {path.name}, has one itself", expected="one base at most")
    return parse_plan(_on_top(tables, below))


def _on_top(tables: Mapping[str, Any], below: Mapping[str, Any]) -> dict[str, Any]:
    """Two files as one."""
    found = {**below, **tables}
    for name in ("study", "limits", "options"):
        parts = [t.get(name, {}) for t in (below, tables)]
        if all(isinstance(part, dict) for part in parts):
            found[name] = {**parts[0], **parts[1]}
    named = {m.get("label", i): m for i, m in enumerate(_tables(below, "models"))}
    named |= {m.get("label", -1 - i): m for i, m in enumerate(_tables(tables, "models"))}
    return {**found, "models": [*named.values()]}


def is_plan(tables: Mapping[str, object]) -> bool:
    """Whether the tables of a study file ask for several models, and not for one as `paredown run` writes."""
    return "asked" not in tables


def parse_plan(tables: Mapping[str, Any]) -> Plan:
    """The plan that `tables` spell. Raises UsageError."""
    for name in tables:
        if name not in TABLES:
            raise UnknownName("table in the study", name, TABLES)
    with in_table("study", ["base", *(f.name for f in fields(Matrix))]):
        matrix = build(Matrix, tables.get("study", {}))
    with in_table("[models]"):
        listed = tuple(build(PlannedModel, t) for t in _tables(tables, "models"))
    with in_table("[places]"):
        places = tuple(build(Place, t) for t in _tables(tables, "places"))
    with in_table("limits"):
        limits = read_limits(tables.get("limits", {}))
    with in_table("[published]"):
        published = tuple(build(Published, t) for t in _tables(tables, "published"))
    models = _labelled((*(PlannedModel(m) for m in matrix.models), *listed))
    _check(matrix, models, places)
    for source in published:
        source.check([m.label for m in models])
    return Plan(
        matrix, models, _places(matrix, places), limits, _options(tables.get("options", {})), published
    )


def _options(table: object) -> Options:
    for key in table if isinstance(table, dict) else ():
        if key in ONE_MODEL:
            raise UsageError(
                f"[options] {key} looks for the best of one model; a study tries everything that it names",
                hint="`paredown run` searches",
            )
        if key in SAID_ELSEWHERE:
            raise UsageError(f"[options] {key} is said in [study] or [[models]] of a study", got=key)
    with in_table(
        "options", [f.name for f in fields(Options) if f.name not in {*SAID_ELSEWHERE, *ONE_MODEL}]
    ):
        return build(Options, table)


def _tables(tables: Mapping[str, Any], name: str) -> list[Any]:
    found = tables.get(name, [])
    if not isinstance(found, list):
        raise UsageError(f"[{name}] is written as [[{name}]], once for each", got=f"[{name}]")
    return found


def _labelled(models: Sequence[PlannedModel]) -> tuple[PlannedModel, ...]:
    """Every model with its label: the name of its file where none is given. Raises UsageError."""
    found = tuple(m if m.label else replace(m, label=Path(m.model).stem) for m in models)
    seen: set[str] = set()
    for model in found:
        if not _LABEL.fullmatch(model.label):
            raise UsageError(
                "a model's label names a folder",
                got=model.label,
                expected="letters, digits and any of _ . + -",
            )
        if model.label.casefold() in seen:
            raise UsageError(f"two models are called {model.label!r}", hint="give one a label of its own")
        seen.add(model.label.casefold())
    return found


def _places(matrix: Matrix, places: tuple[Place, ...]) -> tuple[Place, ...]:
    hosts = tuple(Place(folder_name(host), matrix.target, host) for host in matrix.hosts)
    return places or hosts or (Place("local", matrix.target),)


def _check(matrix: Matrix, models: Sequence[PlannedModel], places: Sequence[Place]) -> None:
    if not models:
        raise UsageError("the study names no model", expected='models = ["..."] in [study], or [[models]]')
    for model in models:
        if not (model.data or matrix.data):
            raise UsageError(f"the study says no data to judge {model.label} on", expected="data in [study]")
    if matrix.trials < 1:
        raise UsageError("a study has one trial or more", got=f"trials = {matrix.trials}")
    if places and matrix.hosts:
        raise UsageError("places are named twice", got="[study] hosts and [[places]]", expected="one of them")
    labels = [p.label for p in places]
    for label in labels:
        if not _LABEL.fullmatch(label) or labels.count(label) > 1:
            raise UsageError("a place's label names a folder, one each", got=label)


def plan_text(plan: Plan) -> str:
    """The TOML that reads as the plan."""
    matrix = {f.name: v for f in fields(Matrix) if f.name != "models" and (v := getattr(plan.matrix, f.name))}
    kept = {f.name for f in fields(Options)} - {*SAID_ELSEWHERE, *ONE_MODEL}
    options = {name: value for name, value in asdict(plan.options).items() if name in kept}
    named = plan.places if not plan.matrix.hosts and plan.places != _places(plan.matrix, ()) else ()
    tables = toml_text({"study": matrix, "limits": plan.limits.table(), "options": options})
    blocks = [_block("models", model) for model in plan.models] + [_block("places", p) for p in named]
    for source in plan.published:
        blocks.append(_block("published", replace(source, figures=())))
        blocks += [_block("published.figures", row) for row in source.figures]
    return "\n".join([tables, *blocks])


def _block(name: str, value: Any) -> str:
    """One table of an array, what is empty left out; a mapping in it as an inline table."""
    lines = []
    for f in fields(value):
        found = getattr(value, f.name)
        if isinstance(found, Mapping):
            inner = ", ".join(toml_lines({k: v}).strip() for k, v in found.items())
            lines.append(f"{f.name} = {{{inner}}}\n")
        elif found not in (None, "", ()):
            lines.append(toml_lines({f.name: found}))
    return f"[[{name}]]\n" + "".join(lines)
