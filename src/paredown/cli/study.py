"""`paredown study`: a whole experiment from one file: of several models, or a study.toml as `run` writes."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from paredown.cli import parser as shared
from paredown.cli import values
from paredown.errors import UsageError

if TYPE_CHECKING:
    from paredown.study.options import Asked

EXAMPLE = "paredown study studies/C.toml --root ../shared --out runs/c --resume"
ENGINES = ("local", "ray")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="[study], [[models]], ... (docs/studies.md), or a study.toml"
    )
    parser.add_argument("--resume", action="store_true", help="go on with what is there, instead of refusing")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="the study directory (default: that of FILE, or runs/<FILE>)"
    )
    several = parser.add_argument_group("of several models")
    several.add_argument(
        "--root",
        metavar="DIR",
        default=os.environ.get("PAREDOWN_MATERIAL", ""),
        help="where relative paths in FILE start (default: PAREDOWN_MATERIAL, else the working folder)",
    )
    several.add_argument("--trials", metavar="N", type=values.some, help="seeds, instead of FILE's trials")
    several.add_argument(
        "--engine", choices=ENGINES, default="local", help="what runs the work: processes here, or Ray"
    )
    several.add_argument(
        "--jobs", metavar="N", type=values.count, default=0, help="models made or judged side by side"
    )
    one = parser.add_argument_group("of one model")
    for name, what in (("model", "MODEL"), ("data", "DATA"), ("calib", "DATA")):
        one.add_argument(
            f"--{name}", metavar=what, help=f"instead of [asked] {name}, where FILE holds only its name"
        )
    shared.add_force(parser)
    shared.add_output(parser)


def main(args: argparse.Namespace) -> int:
    from paredown.study.plan_file import is_plan
    from paredown.toml import read_toml

    if is_plan(read_toml(args.file, what="the study", error=UsageError)):
        return _several(args)
    return _one(args)


def _several(args: argparse.Namespace) -> int:
    from paredown.cli import several
    from paredown.study.index import is_index
    from paredown.study.plan_file import read_plan

    for name in ("model", "data", "calib"):
        if getattr(args, name) is not None:
            raise UsageError(f"--{name} is for a study of one model", hint=f"{args.file} names its own")
    plan = read_plan(args.file)
    if args.trials is not None:
        plan = replace(plan, matrix=replace(plan.matrix, trials=args.trials))
    beside = is_index(args.file.parent)
    out = args.out or (args.file.parent if beside else Path("runs", args.file.stem))
    if is_index(out) and not args.resume:
        raise UsageError(f"{out} already holds a study", hint="--resume goes on; --out starts elsewhere")
    return several.finish(plan, out, args, args.typed if args.resume else f"{args.typed} --resume")


def _one(args: argparse.Namespace) -> int:
    from paredown.cli import closing
    from paredown.job import run
    from paredown.study.options import read_asked
    from paredown.study.store import read_trials

    asked = _named(read_asked(args.file), args)
    out = args.out or args.file.parent
    if args.trials is not None or args.jobs or args.engine != "local":
        raise UsageError("--trials, --jobs and --engine are for a study of several models")
    if read_trials(out) and not args.resume:
        raise UsageError(
            f"{out} already holds trials", hint="--resume goes on with them; --out starts elsewhere"
        )
    return closing.finish(
        lambda voice: run(
            asked.model,
            asked.data,
            asked.calib,
            out=out,
            limits=asked.limits,
            options=asked.options,
            progress=voice.progress,
            say=voice.say,
            force=args.force,
        ),
        out,
        args,
        args.typed if args.resume else f"{args.typed} --resume",
    )


def _named(asked: Asked, args: argparse.Namespace) -> Asked:
    """What is asked, with the paths of the command line in place of the file's.

    `run` keeps the bare name of what lay outside its working folder: study files travel.
    Raises: UsageError where such a name leads nowhere.
    """
    from paredown.inputs import is_there

    given = {name: getattr(args, name) for name in ("model", "data", "calib")}
    asked = replace(asked, **{name: path for name, path in given.items() if path is not None})
    for name in given:
        path = getattr(asked, name)
        if path is None or path.startswith("demo:"):
            continue
        if not is_there(path):
            raise UsageError(
                f"{args.file} names the {name} {path!r}, which is not there",
                expected="a path as seen from the working folder",
                hint=f"say where it is with --{name}",
            )
    return asked
