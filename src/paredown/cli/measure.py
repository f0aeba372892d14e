"""`paredown measure`: accuracy, latency, CPU use, memory and energy of one model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from paredown.cli import parser as shared

if TYPE_CHECKING:
    from paredown.measurement import Measurement

EXAMPLE = "paredown measure best/model.onnx --data coco_eval/ --baseline yolov8n.onnx --what map,latency"


def arguments(parser: argparse.ArgumentParser) -> None:
    shared.add_model(parser)
    shared.add_data(parser)
    parser.add_argument(
        "--baseline",
        metavar="MODEL",
        type=Path,
        help="the float model, to measure beside: points lost, agreement, ratio",
    )
    shared.add_target(parser)
    shared.add_runtime(parser)
    parser.add_argument(
        "--what",
        metavar="NAME,NAME",
        type=shared.names,
        default=(),
        help="map, latency, memory, energy (default: all)",
    )
    shared.add_power(parser)
    shared.add_card(parser)
    parser.add_argument("--out", metavar="FILE", type=Path, help="write the whole measurement there as JSON")
    shared.add_force(parser)
    shared.add_output(parser)


def main(args: argparse.Namespace) -> int:
    from paredown import api
    from paredown._measure.power import PowerFrom
    from paredown.cli import closing, console, loading
    from paredown.files import check_named, write_named
    from paredown.study.records import json_text

    voice = console.Voice(args.quiet)
    if args.out is not None:
        check_named(args.out, force=args.force)
    images = api.read_dataset(
        args.data, max_bad=args.max_bad, allow_outside=args.allow_outside, progress=voice.progress
    )
    for note in images.notes:
        voice.say(note)
    model = loading.load(args.model, images, args, voice)
    measured = api.measure(
        model,
        images,
        baseline=None if args.baseline is None else api.load(args.baseline),
        target=args.target,
        runtime=args.runtime,
        what=args.what or api.WHAT,
        threads=args.threads,
        power=PowerFrom(args.power_log, args.power_model),
        progress=voice.progress,
    )
    if args.out is not None:
        write_named(args.out, (json_text(measured) + "\n").encode(), force=args.force)
    if args.json:
        console.show_json(
            {
                "preprocessing": loading.feeding_of(model),
                "quantities": closing.quantity_values(measured.quantities),
                "doubts": [d.text for d in measured.doubts],
                "absent": dict(measured.absent),
            }
        )
    else:
        _show(measured)
    return 0


def _show(measured: Measurement) -> None:
    from paredown._report.format import interval, shown
    from paredown.cli import console
    from paredown.metrics import title_of

    columns = ("quantity", "value", "95 % interval", "how")
    rows = [(title_of(q.name), shown(q), interval(q), q.how) for q in measured.quantities]
    out = console.stdout()
    out.print(console.table(columns, rows, numbers=columns[1:3]))
    for what, why in measured.absent.items():
        out.print(f"No {what}: {why}", markup=False)
    for doubt in measured.doubts:
        out.print(f"Doubt: {doubt.text}", markup=False)
