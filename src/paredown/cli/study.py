"""`paredown study`: a whole experiment from one study.toml, such as `run` writes."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from paredown.cli import parser as shared
from paredown.errors import UsageError

if TYPE_CHECKING:
    from paredown.study.options import Asked

EXAMPLE = "paredown study runs/y8/study.toml --resume"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="a study.toml: tables [asked], [limits], [options]"
    )
    parser.add_argument("--resume", action="store_true", help="go on with what is there, instead of refusing")
    parser.add_argument("--out", metavar="DIR", type=Path, help="the study directory (default: that of FILE)")
    for name, what in (("model", "MODEL"), ("data", "DATA"), ("calib", "DATA")):
        parser.add_argument(
            f"--{name}", metavar=what, help=f"instead of [asked] {name}, where FILE holds only its name"
        )
    shared.add_force(parser)
    shared.add_output(parser)


def main(args: argparse.Namespace) -> int:
    from paredown.cli import closing
    from paredown.job import run
    from paredown.study.options import read_asked
    from paredown.study.store import read_trials

    asked = _named(read_asked(args.file), args)
    out = args.out or args.file.parent
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
    given = {name: getattr(args, name) for name in ("model", "data", "calib")}
    asked = replace(asked, **{name: path for name, path in given.items() if path is not None})
    for name in given:
        path = getattr(asked, name)
        if path is None or path.startswith("demo:"):
            continue
        if not os.path.exists(path) and not os.path.exists(path.partition(":")[2]):
            raise UsageError(
                f"{args.file} names the {name} {path!r}, which is not there",
                expected="a path as seen from the working folder",
                hint=f"say where it is with --{name}",
            )
    return asked
