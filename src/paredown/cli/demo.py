"""`paredown demo`: the whole job on an embedded detector and drawn street scenes, offline."""

from __future__ import annotations

import argparse
from pathlib import Path

from paredown.cli import parser as shared

EXAMPLE = "paredown demo"
LEFT_OUT = "mixed"  # it measures every layer by itself, which takes as long as half of the others
JUDGED, CALIBRATED = 120, 60  # scenes: the whole job stays under three minutes on two cores


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("paredown-demo"), help="default: ./paredown-demo"
    )
    shared.add_force(parser)
    shared.add_output(parser)


def main(args: argparse.Namespace) -> int:
    from paredown import demo
    from paredown._compress.presets import DEFAULT_RECIPES
    from paredown.cli import closing
    from paredown.job import run
    from paredown.study.options import Options

    return closing.finish(
        lambda voice: run(
            demo.model_path(),
            f"demo:evaluation:{JUDGED}",
            f"demo:calibration:{CALIBRATED}",
            out=args.out,
            options=Options(recipes=tuple(r for r in DEFAULT_RECIPES if r != LEFT_OUT)),
            progress=voice.progress,
            say=voice.say,
            force=args.force,
        ),
        args.out,
        args,
        args.typed,
    )
