"""`paredown report`: the report of a study, written again from what stands in its directory."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

EXAMPLE = "paredown report runs/y8 --out y8.html"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", metavar="STUDY_DIR", type=Path, help="a directory that `paredown run` made")
    parser.add_argument("--out", metavar="FILE", type=Path, help="default: STUDY_DIR/report.html")


def main(args: argparse.Namespace) -> int:
    from paredown import api

    sys.stdout.write(f"{api.report(args.study, args.out)}\n")
    return 0
