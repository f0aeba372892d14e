"""What of a study may travel: no absolute path, and with it no user's name, reaches its files or its report.

A path below the working folder is written as seen from there, any other absolute one by its last name alone.
A path that was typed relative stays as it was typed.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from paredown.study.options import Asked
from paredown.study.plan import Plan, PlannedModel

Hide = Callable[[str], str]

_FORMAT = re.compile(r"([a-z][a-z_-]+:)(/.*)", re.DOTALL)  # coco:/somewhere


def portable(asked: Asked) -> Asked:
    """The study with paths that say nothing about this machine."""
    options = asked.options
    return replace(
        asked,
        model=portable_path(asked.model),
        data=portable_path(asked.data),
        calib=_portable(asked.calib),
        options=replace(
            options,
            target=portable_path(options.target),
            card=_portable(options.card),
            decode=_portable(options.decode),
            inputs=_portable(options.inputs),
            learn_from=_portable(options.learn_from),
            power_log=_portable(options.power_log),
            recipes=tuple(portable_path(name) for name in options.recipes),
        ),
    )


def portable_plan(plan: Plan, root: str = "") -> Plan:
    """The same of a study of several models. What lies below `root` is written as seen from there."""

    def at(text: str | None) -> str | None:
        return None if text is None else portable_path(text, root or os.curdir)

    def model(one: PlannedModel) -> PlannedModel:
        names = ("data", "calib", "learn_from", "card", "decode")
        recipes = None if one.recipes is None else tuple(map(portable_path, one.recipes))
        found: dict[str, Any] = {name: at(getattr(one, name)) for name in names}
        return replace(one, model=at(one.model) or "", recipes=recipes, **found)

    matrix, options = plan.matrix, plan.options
    return replace(
        plan,
        matrix=replace(
            matrix,
            data=at(matrix.data) or "",
            calib=at(matrix.calib),
            learn_from=at(matrix.learn_from),
            target=at(matrix.target) or "",
            recipes=tuple(map(portable_path, matrix.recipes)),
        ),
        models=tuple(map(model, plan.models)),
        places=tuple(replace(place, target=at(place.target) or "") for place in plan.places),
        options=replace(options, inputs=_portable(options.inputs), power_log=_portable(options.power_log)),
    )


def portable_command(typed: str) -> str:
    """A command line as it may be shown to others; what stands behind `--name=` or a comma is a path, too."""
    return shlex.join("=".join(_each(word, ",") for word in part.split("=")) for part in shlex.split(typed))


def _each(text: str, separator: str) -> str:
    return separator.join(map(portable_path, text.split(separator)))


def portable_path(text: str, base: str = os.curdir) -> str:
    """A path as the command line takes it, with `FORMAT:` before it or not, as it may be shown to others.

    base: the folder that it is written as seen from, where it lies below it.
    """
    if (match := _FORMAT.fullmatch(text)) is not None:
        return match[1] + portable_path(match[2], base)
    if not os.path.isabs(text):
        return text
    for spell in (os.path.abspath, os.path.realpath):
        seen = os.path.relpath(spell(text), spell(base))
        if seen.split(os.sep)[0] != os.pardir:
            return seen
    if os.path.abspath(text) == os.path.abspath(os.path.expanduser("~")):
        return "~"  # its last name is the user's
    return os.path.basename(os.path.normpath(text))


def hiding(asked: Asked, directory: Path) -> Hide:
    """A function that shortens the paths of this study and this machine wherever they stand in a text.

    Only known folders are looked for: the names of a graph's nodes begin with a slash, too.
    """
    options = asked.options
    given = [asked.model, asked.data, asked.calib, options.card, options.learn_from, options.target]
    files = [os.path.abspath(_bare(text)) for text in given if text and os.path.isabs(_bare(text))]
    folders = {os.path.dirname(f) for f in files} | {os.path.dirname(os.path.abspath(directory))}
    folders |= {os.getcwd(), os.path.expanduser("~"), tempfile.gettempdir()}
    known = {spell(folder) for folder in folders for spell in (os.path.abspath, os.path.realpath)}
    ordered = sorted((f for f in known if f != os.sep), key=len, reverse=True)
    pattern = re.compile(
        "|".join(rf"(?<![\w.]){re.escape(f)}(?:{re.escape(os.sep)}|(?![\w.-]))" for f in ordered)
    )
    return partial(pattern.sub, "")


def hiding_all(asked: Iterable[Asked], directory: Path) -> Hide:
    """The same for all parts of a study of several models in `directory`."""
    hides = [hiding(one, directory) for one in asked]

    def hide(text: str) -> str:
        for one in hides:
            text = one(text)
        return text

    return hide


def hidden(value: Any, hide: Hide) -> Any:
    """Plain values (see `records.plain`) with `hide` applied to every text, keys included."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {hide(key): hidden(v, hide) for key, v in value.items()}
    if isinstance(value, list):
        return [hidden(v, hide) for v in value]
    return value


def _portable(text: str | None) -> str | None:
    return None if text is None else portable_path(text)


def _bare(text: str) -> str:
    match = _FORMAT.fullmatch(text)
    return text if match is None else match[2]
