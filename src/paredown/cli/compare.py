"""`paredown compare`: two models on the same images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from paredown.cli import parser as shared

if TYPE_CHECKING:
    from paredown._measure.compare import Line
    from paredown.api import Compared

EXAMPLE = "paredown compare yolov8n.onnx best/model.onnx --data coco_eval/ --out differences/"


def arguments(parser: argparse.ArgumentParser) -> None:
    shared.add_model(parser, "a")
    shared.add_model(parser, "b")
    shared.add_data(parser)
    shared.add_target(parser)
    shared.add_card(parser)
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="write the pictures they differ most on, side by side"
    )
    shared.add_force(parser)
    shared.add_output(parser)


def main(args: argparse.Namespace) -> int:
    from paredown import api, saving
    from paredown.cli import console, loading
    from paredown.files import check_directory

    voice = console.Voice(args.quiet)
    if args.out is not None:
        check_directory(args.out, saving.PICTURES, force=args.force)
    images = api.read_dataset(
        args.data, max_bad=args.max_bad, allow_outside=args.allow_outside, progress=voice.progress
    )
    for note in images.notes:
        voice.say(note)
    a = loading.load(args.a, images, args, voice)
    found = api.compare(
        a, api.load(args.b), images, target=args.target, threads=args.threads, progress=voice.progress
    )
    pictures = [] if args.out is None else saving.save_pairs(found.pairs, args.out, force=args.force)
    if args.json:
        differing = [{"image": p.name, "why": p.why} for p in found.pairs]
        values = {"statistics": found.statistics, "differing": differing, "pictures": pictures}
        console.show_json({"preprocessing": loading.feeding_of(a), **values})
    else:
        _show(found, pictures)
    return 0


def _show(found: Compared, pictures: list[str]) -> None:
    from paredown._report.format import shown
    from paredown.cli import console
    from paredown.metrics import title_of

    out, statistics = console.stdout(), found.statistics
    columns = ("metric", "A", "B", "B - A", "95 % interval", "p")
    rows = []
    for line in statistics.lines:
        d = line.difference
        bounds = f"{d.low:+.4f} .. {d.high:+.4f}"
        rows.append(
            (
                title_of(line.name),
                f"{line.a:.4f}",
                f"{line.b:.4f}",
                f"{d.value:+.4f}",
                bounds,
                f"{d.p_value:.3f}",
            )
        )
    if rows:
        out.print(console.table(columns, rows, numbers=columns[1:]))
        out.print(f"\n{_lost(statistics.lines, statistics.n_images)}")
        out.print(
            f"A is better on {len(statistics.a_better)} images, B on {len(statistics.b_better)}.", end=" "
        )
        if statistics.p_value is not None:
            out.print(f"That neither is better: p = {statistics.p_value:.3f}.")
    else:
        out.print("No truth: only how far B agrees with A.")
    out.print()
    agreement = [(_against_a(title_of(q.name)), shown(q)) for q in statistics.agreement]
    out.print(console.table(("B against A", "value"), agreement, numbers=("value",)))
    out.print()
    for pair in found.pairs:
        out.print(f"{pair.name}: {pair.why}", markup=False)
    for path in pictures:
        out.print(path, markup=False, soft_wrap=True)


def _lost(lines: tuple[Line, ...], n_images: int) -> str:
    """What B loses against A, as every verdict counts it, and whether so many images can tell."""
    from paredown.metrics import headlines
    from paredown.statistics.confidence_interval import images_needed
    from paredown.study.words import metric_title, points_phrase

    line = next(line for line in lines if line.name in headlines())
    d = line.difference
    ends = f"95 % CI {-100 * d.high:.2f}..{-100 * d.low:.2f}"
    needed = images_needed(d, n_images)
    said = f"B against A: {points_phrase(-100 * d.value)} of {metric_title(line.name)}, {ends}."
    if needed is None:
        return said
    return f"{said} Not distinguishable on these {n_images} images; about {_round(needed)} would be needed."


def _round(count: int) -> str:
    """Two digits are all that such a figure is good for: 8731 is "8,700"."""
    return f"{round(count, 2 - len(str(count))):,}"


def _against_a(title: str) -> str:
    return title.replace("the float model", "A").replace("float", "A")
