"""A study of several models as it is asked for: models x recipes x runtimes x sizes x places x seeds."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import Any

from paredown import demo
from paredown.errors import UsageError
from paredown.study.limits import Limits
from paredown.study.options import Asked, Options
from paredown.study.published import Published

DEMO = "demo"  # the embedded detector; "demo:evaluation:40" are scenes for it
_OF_MODELS = ("family", "card", "scale", "colour", "fit", "decode")
SAID_ELSEWHERE = frozenset({"target", "host", "runtimes", "recipes", "sizes", "seed", *_OF_MODELS})
ONE_MODEL = ("search", "auto_size")  # they look for the best: a study tries all that it names
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


def _first(own: str | None, shared: str | None) -> str | None:
    return shared if own is None else own


def folder_name(host: str) -> str:
    """A label for it, which names a folder."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", host)
