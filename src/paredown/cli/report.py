"""`paredown report`: the report of a study, written again from what stands in its directory."""

from __future__ import annotations

import argparse
from pathlib import Path

from paredown.cli import parser as shared
from paredown.cli import values

EXAMPLE = "paredown report runs/y8 --fps 30 --out y8.html"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", metavar="STUDY_DIR", type=Path, help="a directory that `paredown run` made")
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="default: STUDY_DIR/report.html, with summary.md and trials.csv beside it",
    )
    parser.add_argument(
        "--layers", metavar="LABEL", default="", help="the model whose layers are drawn; default: the best"
    )
    shared.add_fps(parser)
    parser.add_argument(
        "--weights",
        metavar="NAME=N,NAME=N",
        type=weights,
        default={},
        help="of accuracy, latency, size, energy in the ranking (default: all the same)",
    )
    parser.add_argument(
        "--serve",
        action="store_true",
        help="show it in a browser of this machine, made anew while a study runs",
    )
    parser.add_argument("--port", metavar="N", type=values.count, default=0, help="of --serve; 0: a free one")
    shared.add_force(parser)


def weights(text: str) -> dict[str, float]:
    """Objective -> weight of "accuracy=2,latency=1"."""
    from paredown.analyze.selection import SPELLED
    from paredown.errors import UnknownName

    found = {}
    for part in values.names(text):
        name, _, value = part.partition("=")
        if name not in SPELLED:
            raise UnknownName("objective to weigh", name, SPELLED)
        found[SPELLED[name]] = values.number(value)
    return found


def main(args: argparse.Namespace) -> int:
    from paredown import api
    from paredown.cli import console
    from paredown.cli.short import short_lines

    if args.serve:
        return serve(args)
    path = api.report(
        args.study,
        args.out,
        layers=args.layers,
        fps=args.fps,
        weights=args.weights,
        force=args.force,
    )
    out = console.stdout()
    for line in short_lines(args.study, args.fps, args.weights):
        out.print(f"- {line}", markup=False)
    out.print(str(path), markup=False, soft_wrap=True)
    return 0


def serve(args: argparse.Namespace) -> int:
    """Serves the report until Ctrl-C."""
    from paredown._report.several.page import render_index
    from paredown._report.write import render
    from paredown.cli import console
    from paredown.errors import UsageError
    from paredown.report_data import read_stories, read_story
    from paredown.serving import ReportServer
    from paredown.study.index import is_index
    from paredown.study.store import require_study

    if args.out is not None:
        raise UsageError("--serve writes no file", got=f"--out {args.out}", hint="leave one of the two out")
    require_study(args.study)

    def page(directory: Path) -> str:
        if is_index(directory):
            return render_index(read_stories(directory, fps=args.fps, weights=args.weights))
        return render(read_story(directory, args.layers, fps=args.fps, weights=args.weights))

    with ReportServer(args.study, page, args.port) as server:
        console.stdout().print(f"{server.url}  (until Ctrl-C)", markup=False, soft_wrap=True)
        server.serve_forever()
    return 0
