"""`paredown report`: the report of a study, written again from what stands in its directory."""

from __future__ import annotations

import argparse
from pathlib import Path

from paredown.cli import parser as shared

EXAMPLE = "paredown report runs/y8 --out y8.html"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", metavar="STUDY_DIR", type=Path, help="a directory that `paredown run` made")
    parser.add_argument("--out", metavar="FILE", type=Path, help="default: STUDY_DIR/report.html")
    parser.add_argument(
        "--layers", metavar="LABEL", default="", help="the model whose layers are drawn; default: the best"
    )
    shared.add_force(parser)


def main(args: argparse.Namespace) -> int:
    from paredown import api
    from paredown.cli import console

    path = api.report(args.study, args.out, layers=args.layers, force=args.force)
    console.stdout().print(str(path), markup=False, soft_wrap=True)
    return 0
