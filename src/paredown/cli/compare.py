"""`paredown compare`: two models on the same images, or two trials of a study from what it kept."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from paredown.cli import parser as shared
from paredown.cli import place
from paredown.errors import UsageError

if TYPE_CHECKING:
    from paredown._measure.compare import Comparison
    from paredown.api import Compared
    from paredown.report_data.later import Later

EXAMPLE = "paredown compare yolov8n.onnx best/model.onnx --data coco_eval/ --out differences/"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "a", metavar="A", type=Path, help="an ONNX file; or a study directory, with --a and --b"
    )
    parser.add_argument("b", metavar="B", type=Path, nargs="?", help="an ONNX file")
    parser.add_argument(
        "--a",
        metavar="LABEL",
        dest="label_a",
        default="float",
        help="of a study: the first trial (default: float); of several models: 'MODEL LABEL'",
    )
    parser.add_argument("--b", metavar="LABEL", dest="label_b", help="of a study: the second trial")
    shared.add_data(parser, required=False)
    place.add_target(parser)
    shared.add_card(parser)
    shared.add_scope(parser)
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="write the pictures they differ most on, side by side"
    )
    shared.add_force(parser)
    shared.add_output(parser)


def main(args: argparse.Namespace) -> int:
    if args.label_b is not None:
        return _of_study(args)
    if args.b is None or args.data is None:
        raise UsageError(
            "two models and the images to compare them on are needed, or two trials of a study",
            got=f"{args.a}" if args.b is None else f"{args.a} and {args.b} without --data",
            expected="A B --data DATA, or STUDY_DIR --a LABEL --b LABEL",
        )
    return _of_models(args)


def _of_study(args: argparse.Namespace) -> int:
    from paredown.cli import console
    from paredown.report_data.later import compare_later

    if args.b is not None or args.data is not None or args.out is not None:
        raise UsageError(
            "two trials of a study are compared from what it kept: no second model, no images, no pictures",
            expected="STUDY_DIR --a LABEL --b LABEL",
        )
    found = compare_later(args.a, args.label_a, args.label_b)
    if args.json:
        console.show_json(asdict(found))
    else:
        _show_later(found)
    return 0


def _of_models(args: argparse.Namespace) -> int:
    from paredown import api, saving
    from paredown._measure.scope import Scope
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
        a,
        api.load(args.b),
        images,
        target=args.target,
        threads=args.threads,
        scope=Scope(args.classes, args.conf, args.iou),
        progress=voice.progress,
    )
    pictures = [] if args.out is None else saving.save_pairs(found.pairs, args.out, force=args.force)
    if args.json:
        differing = [{"image": p.name, "why": p.why} for p in found.pairs]
        values = {"statistics": found.statistics, "differing": differing, "pictures": pictures}
        console.show_json({"preprocessing": loading.feeding_of(a), **values})
    else:
        _show(found, pictures)
    return 0


def _show(found: Compared, pictures: Sequence[str]) -> None:
    from paredown._report.format import shown
    from paredown.cli import console
    from paredown.metrics import title_of

    out, statistics = console.stdout(), found.statistics
    if statistics.lines:
        _show_lines(statistics, "A", "B")
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


def _show_later(found: Later) -> None:
    from paredown.cli import console

    _show_lines(found.statistics, found.a, found.b)
    out = console.stdout()
    out.print("\nThe images on which they differ most, and how right each is on them (0 to 1):")
    rows = [(name, f"{a:.2f}", f"{b:.2f}") for name, a, b in found.differing]
    out.print(console.table(("image", found.a, found.b), rows, numbers=(found.a, found.b)))


def _show_lines(statistics: Comparison, a: str, b: str) -> None:
    """The metrics of both, what b loses, and on how many images which is better."""
    from paredown.cli import console
    from paredown.metrics import title_of

    out = console.stdout()
    columns = ("metric", a, b, f"{b} - {a}", "95 % interval", "p")
    rows = [
        (
            title_of(line.name),
            f"{line.a:.4f}",
            f"{line.b:.4f}",
            f"{line.difference.value:+.4f}",
            f"{line.difference.low:+.4f} .. {line.difference.high:+.4f}",
            _p(line.difference.p_value),
        )
        for line in statistics.lines
    ]
    out.print(console.table(columns, rows, numbers=columns[1:]))
    out.print(f"\n{_lost(statistics, a, b)}", markup=False)
    better = f"{a} is better on {len(statistics.a_better)} images, {b} on {len(statistics.b_better)}."
    chance = (
        "" if statistics.p_value is None else f" That neither is better: p {_p(statistics.p_value, '= ')}."
    )
    out.print(better + chance, markup=False)


def _p(value: float, before: str = "") -> str:
    """ "0.012"; "< 0.001" of one that would read as none."""
    return "< 0.001" if value < 0.0005 else f"{before}{value:.3f}"


def _lost(statistics: Comparison, a: str, b: str) -> str:
    """What b loses against a, as every verdict counts it, and whether so many images can tell."""
    from paredown.analyze.pairs import one_beside, sentence
    from paredown.metrics import headlines

    line = next(line for line in statistics.lines if line.name in headlines())
    return sentence(b, a, one_beside(line.difference, statistics.n_images), line.name)


def _against_a(title: str) -> str:
    return title.replace("the float model", "A").replace("float", "A")
