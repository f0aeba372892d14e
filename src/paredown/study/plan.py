"""A study of several models as a file asks for it: models x recipes x runtimes x sizes x places x seeds."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from paredown import demo
from paredown.errors import UnknownName, UsageError
from paredown.study.limits import Limits, read_limits
from paredown.study.options import Asked, Options, in_table
from paredown.study.published import Published
from paredown.toml import read_toml, toml_lines, toml_text
from paredown.typed import build

DEMO = "demo"  # the embedded detector; "demo:evaluation:40" are scenes for it
TABLES = ("study", "models", "places", "limits", "options", "published")
_OF_MODELS = ("family", "card", "scale", "colour", "fit", "decode")
SAID_ELSEWHERE = frozenset({"target", "host", "runtimes", "recipes", "sizes", "seed", *_OF_MODELS})
ONE_MODEL = ("search", "auto_size")  # they look for the best: a study tries all that it names
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_FORMAT = re.compile(r"[a-z][a-z_-]+:")


@dataclass(frozen=True)
class Matrix:
    """The table [study]: what is combined with what. Empty: one usual value, as in `paredown run`.

    data, calib, learn_from: for models that say nothing else. trials: how many seeds, from `seed` on.
    hosts: machines that stand for `target`; where devices differ too, [[places]] says both.
    """

    data: str = ""
    calib: str | None = None
    learn_from: str | None = None
    title: str = ""
    about: str = ""
    models: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    target: str = "local"
    hosts: tuple[str, ...] = ()
    trials: int = 1
    seed: int = 0


@dataclass(frozen=True)
class PlannedModel:
    """One of [[models]]. None: as [study] says. The hints are those of the command line."""

    model: str
    label: str = ""
    data: str | None = None
    calib: str | None = None
    learn_from: str | None = None
    recipes: tuple[str, ...] | None = None
    runtimes: tuple[str, ...] | None = None
    sizes: tuple[int, ...] | None = None
    family: str | None = None
    card: str | None = None
    scale: str | None = None
    colour: str | None = None
    fit: str | None = None
    decode: str | None = None
    keep_float: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Place:
    """A device and the machine that stands for it."""

    label: str
    target: str = "local"
    host: str = "local"


@dataclass(frozen=True)
class Part:
    """One model in one place with one seed: a study of its own, in models/<label>."""

    label: str
    model: PlannedModel
    place: Place
    seed: int


@dataclass(frozen=True)
class Plan:
    """A whole study of several models. Its first place and seed leave no mark on a part's label, so that a
    study that grows keeps what it has."""

    matrix: Matrix
    models: tuple[PlannedModel, ...]
    places: tuple[Place, ...]
    limits: Limits = field(default_factory=Limits)
    options: Options = field(default_factory=Options)
    published: tuple[Published, ...] = ()

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(self.matrix.seed + i for i in range(self.matrix.trials))

    def parts(self) -> tuple[Part, ...]:
        """All models with the first seed, then all with the next: what is known early is known of all.

        Raises UsageError where two have one label.
        """
        found = tuple(
            Part(self._label(model, place, seed), model, place, seed)
            for seed in self.seeds
            for place in self.places
            for model in self.models
        )
        labels = [part.label for part in found]
        if twice := next((label for label in labels if labels.count(label) > 1), None):
            raise UsageError(
                f"two parts of the study are called {twice!r}", hint="give a model another label"
            )
        return found

    def _label(self, model: PlannedModel, place: Place, seed: int) -> str:
        at = "" if place == self.places[0] else f"@{place.label}"
        return model.label + at + ("" if seed == self.matrix.seed else f"-seed{seed}")

    def asked(self, part: Part, root: str = "") -> Asked:
        """What is asked of one part, as of `paredown run`. root: where relative paths start."""
        model, matrix = part.model, self.matrix

        def at(path: str | None) -> str | None:
            return None if path is None else rooted(path, root)

        said: dict[str, Any] = {
            name: value
            for name in ("recipes", "runtimes", "sizes", "keep_float")
            if (value := getattr(model, name)) is not None
        }
        options = replace(
            self.options,
            target=rooted(part.place.target, root if part.place.target.endswith(".toml") else ""),
            host=part.place.host,
            seed=part.seed,
            family=model.family,
            card=at(model.card),
            scale=model.scale,
            colour=model.colour,
            fit=model.fit,
            decode=at(model.decode),
            learn_from=at(_first(model.learn_from, matrix.learn_from)),
            **{"recipes": matrix.recipes, "runtimes": matrix.runtimes, "sizes": matrix.sizes} | said,
        )
        data, calib = _first(model.data, matrix.data) or "", _first(model.calib, matrix.calib)
        file = str(demo.model_path()) if model.model == DEMO else rooted(model.model, root)
        return Asked(file, rooted(data, root), at(calib), self.limits, options)


def rooted(path: str, root: str) -> str:
    """A path of a plan as seen from the working folder; one with `FORMAT:` before it keeps that."""
    form = _FORMAT.match(path)
    form_text, rest = (form[0], path[form.end() :]) if form else ("", path)
    if not root or not rest or form_text == f"{DEMO}:" or os.path.isabs(rest):
        return path
    return form_text + os.path.join(root, rest)


def read_plan(path: Path) -> Plan:
    """The plan in a TOML file. Raises UsageError, with a did-you-mean for what is not known."""
    return parse_plan(read_toml(path, what="the study", error=UsageError))


def is_plan(tables: Mapping[str, object]) -> bool:
    """Whether the tables of a study file ask for several models, and not for one as `paredown run` writes."""
    return "asked" not in tables


def parse_plan(tables: Mapping[str, Any]) -> Plan:
    """The plan that `tables` spell. Raises UsageError."""
    for name in tables:
        if name not in TABLES:
            raise UnknownName("table in the study", name, TABLES)
    with in_table("study"):
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


def folder_name(host: str) -> str:
    """A label for it, which names a folder."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", host)


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


def _first(own: str | None, shared: str | None) -> str | None:
    return shared if own is None else own


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
