"""`paredown study`: a whole experiment from one study.toml, such as `run` writes."""

from __future__ import annotations

import argparse
from pathlib import Path

from paredown.cli import parser as shared
from paredown.errors import UsageError

EXAMPLE = "paredown study runs/y8/study.toml --resume"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="a study.toml: tables [asked], [limits], [options]"
    )
    parser.add_argument("--resume", action="store_true", help="go on with what is there, instead of refusing")
    parser.add_argument("--out", metavar="DIR", type=Path, help="the study directory (default: that of FILE)")
    shared.add_force(parser)
    shared.add_output(parser)


def main(args: argparse.Namespace) -> int:
    from paredown.cli import closing
    from paredown.job import run
    from paredown.study.options import read_asked
    from paredown.study.store import read_trials

    asked = read_asked(args.file)
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
