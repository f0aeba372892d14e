"""`paredown measure`: accuracy, latency, CPU use, memory and energy of one model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from paredown.cli import lasting, place, values
from paredown.cli import parser as shared

if TYPE_CHECKING:
    from paredown._measure.energy.power import PowerFrom
    from paredown.cli.console import Voice
    from paredown.measurement import Measurement
    from paredown.model import Model
    from paredown.sample import Dataset

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
    place.add_target(parser)
    place.add_host(parser)
    place.add_accuracy_on(parser)
    place.add_runtime(parser)
    parser.add_argument(
        "--what",
        metavar="NAME,NAME",
        type=values.names,
        default=(),
        help="map, latency, memory, energy (default: all, or none beside --sustained and the like)",
    )
    place.add_power(parser)
    lasting.arguments(parser)
    shared.add_card(parser)
    shared.add_scope(parser)
    parser.add_argument("--out", metavar="FILE", type=Path, help="write the whole measurement there as JSON")
    shared.add_force(parser)
    shared.add_output(parser)


def main(args: argparse.Namespace) -> int:
    from paredown import api
    from paredown.cli import console, loading
    from paredown.files import check_named, write_named
    from paredown.graph.load import refuse_no_file
    from paredown.hosts import open_host
    from paredown.measuring import require_measurable
    from paredown.study.records import json_text, plain
    from paredown.targets import target as find_target
    from paredown.torch_files import file_of

    require_measurable(args.what)
    voice = console.Voice(args.quiet)
    if args.out is not None:
        check_named(args.out, force=args.force)
    longer = lasting.asked(args)
    _power(args).require_log()
    find_target(args.target, open_host(args.host), args.runtime).version()
    for given in (args.model, args.baseline):  # a typo is found before any work
        if given is not None:
            refuse_no_file(file_of(given))
    images = api.read_dataset(
        args.data, max_bad=args.max_bad, allow_outside=args.allow_outside, progress=voice.progress
    )
    for note in images.notes:
        voice.say(note)
    model = loading.load(args.model, images, args, voice)
    measured = None if longer.anything and not args.what else _measured(args, model, images, voice)
    found = lasting.look(args, model, images, voice) if longer.anything else None
    if args.out is not None:
        values = {} if measured is None else plain(measured)
        values |= {} if found is None else {"endurance": plain(found)}
        write_named(args.out, (json_text(values) + "\n").encode(), force=args.force)
    if args.json:
        told = {"preprocessing": loading.feeding_of(model), **_values(measured)}
        console.show_json(told | ({} if found is None else {"endurance": plain(found)}))
        return 0
    if measured is not None:
        _show(measured)
    if found is not None:
        lasting.show(found)
    return 0


def _measured(args: argparse.Namespace, model: Model, images: Dataset, voice: Voice) -> Measurement:
    from paredown import api
    from paredown._measure.scope import Scope

    return api.measure(
        model,
        images,
        baseline=None if args.baseline is None else api.load(args.baseline),
        target=args.target,
        runtime=args.runtime,
        host=args.host,
        accuracy_on=args.accuracy_on,
        what=args.what or api.WHAT,
        threads=args.threads,
        power=_power(args),
        scope=Scope(args.classes, args.conf, args.iou),
        progress=voice.progress,
    )


def _power(args: argparse.Namespace) -> PowerFrom:
    """Where watts come from. Raises UsageError where that contradicts itself."""
    from paredown._measure.energy.power import PowerFrom

    return PowerFrom(args.power_log, args.power_model, args.sensor)


def _values(measured: Measurement | None) -> dict[str, object]:
    from paredown.cli import closing

    if measured is None:
        return {}
    return {
        "quantities": closing.quantity_values(measured.quantities),
        "doubts": [d.text for d in measured.doubts],
        "absent": dict(measured.absent),
    }


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
