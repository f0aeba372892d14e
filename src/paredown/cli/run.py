"""`paredown run`: the whole job."""

from __future__ import annotations

import argparse
from pathlib import Path

from paredown.cli import parser as shared
from paredown.cli import place, values

EXAMPLE = "paredown run yolov8n.onnx --data coco_eval/ --calib coco_calib/ --max-drop 0.5 --out runs/y8"


def arguments(parser: argparse.ArgumentParser) -> None:
    shared.add_model(parser)
    shared.add_data(parser)
    shared.add_calib(parser)
    shared.add_learn_from(parser)
    place.add_target(parser)
    place.add_hosts(parser)
    place.add_accuracy_on(parser)
    place.add_power(parser)
    parser.add_argument(
        "--sustained",
        metavar="TIME",
        type=values.span,
        default=0.0,
        help="at the end the best model and the float model run without a pause for so long each: 10m",
    )
    shared.add_search(parser)
    shared.add_card(parser)
    shared.add_scope(parser)
    shared.add_making(parser)
    shared.add_fps(parser)
    shared.add_effort(parser)
    parser.add_argument(
        "--allow-overlap", action="store_true", help="let calibration images be judged on as well"
    )
    parser.add_argument(
        "--keep-other",
        action="store_true",
        help="leave trials of other machines or runtimes apart instead of measuring them again",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="the study directory (default: runs/<model>); goes on where it stopped",
    )
    shared.add_force(parser)
    shared.add_output(parser)
    parser.set_defaults(root="", engine="local", jobs=0)  # of a study on several hosts


def main(args: argparse.Namespace) -> int:
    from paredown.cli import closing
    from paredown.job import run

    out = args.out or Path("runs", args.model.stem)
    hosts = tuple(dict.fromkeys(args.host)) or ("local",)
    args.host = hosts[0]
    if len(hosts) > 1:
        return _on_hosts(args, hosts, out)
    return closing.finish(
        lambda voice: run(
            args.model,
            args.data,
            args.calib,
            out=out,
            limits=closing.limits_of(args),
            options=closing.options_of(args),
            progress=voice.progress,
            say=voice.say,
            force=args.force,
        ),
        out,
        args,
        args.typed,
    )


def _on_hosts(args: argparse.Namespace, hosts: tuple[str, ...], out: Path) -> int:
    from paredown.cli import closing, several
    from paredown.hosts import open_host
    from paredown.study.options import Asked
    from paredown.study.several_hosts import on_hosts

    for host in hosts:
        open_host(host)  # a typo is found before any work
    limits, options = closing.limits_of(args), closing.options_of(args)
    asked = Asked(str(args.model), args.data, args.calib, limits, options)
    return several.finish(on_hosts(asked, hosts), out, args, args.typed)
