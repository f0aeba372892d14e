"""`paredown inspect`: what a model is and, with images, how it is fed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from paredown.cli import parser as shared

if TYPE_CHECKING:
    from rich.text import Text

    from paredown._measure.feeding.card_choice import CardChoice
    from paredown.graph.inspect import Inspection
    from paredown.model import Model

EXAMPLE = "paredown inspect yolov8n.onnx --data coco_eval/ --out looked/"
LAYERS = 5  # the heaviest, shown


def arguments(parser: argparse.ArgumentParser) -> None:
    shared.add_model(parser)
    shared.add_data(parser, required=False)
    shared.add_card(parser)
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="with --data: write pictures of what it finds, however fed"
    )
    shared.add_force(parser)
    shared.add_output(parser)


def main(args: argparse.Namespace) -> int:
    from paredown import api
    from paredown.cli import console
    from paredown.cli.loading import hints_of
    from paredown.errors import UsageError
    from paredown.inputs import read_model

    if args.data is not None:
        return _feeding(args)
    if args.out is not None:
        raise UsageError("--out is for pictures, and those need images", hint="--data DATA")
    model = read_model(args.model, hints_of(args))
    choice, unknown = _choice(model, args)
    known = choice is not None and choice.refusal is None
    found = api.inspect(model if choice is None else model.with_card(choice.card))
    if args.json:
        console.show_json(_values(model, choice if known else None, found))
    else:
        _show(model, choice, unknown, found)
    return 0


def _choice(model: Model, args: argparse.Namespace) -> tuple[CardChoice | None, str]:
    """How the model is fed, as far as its file says; a model of no known family can still be looked into."""
    from paredown import api
    from paredown.cli.loading import hints_of
    from paredown.errors import CardError

    hints = hints_of(args)
    try:
        return api.choose(model, args.model, hints), ""
    except CardError as e:
        if args.family is not None or args.card is not None or hints.about_input:
            raise
        return None, str(e)


def _feeding(args: argparse.Namespace) -> int:
    """The choice of the preprocessing alone: what was tried, how it did, the decision, and pictures."""
    from paredown import api, saving
    from paredown.cli import console
    from paredown.cli.feeding import show_choice, values_of
    from paredown.cli.loading import hints_of
    from paredown.files import check_directory
    from paredown.inputs import read_model

    voice = console.Voice(args.quiet)
    if args.out is not None:
        check_directory(args.out, saving.FEEDING, force=args.force)
    images = api.read_dataset(
        args.data, max_bad=args.max_bad, allow_outside=args.allow_outside, progress=voice.progress
    )
    for note in images.notes:
        voice.say(note)
    model = read_model(args.model, hints_of(args))
    choice = api.choose(model, args.model, hints_of(args), images, voice.progress)
    pictures = (
        [] if args.out is None else saving.save_feeding(model, choice, images, args.out, force=args.force)
    )
    if args.json:
        console.show_json({**values_of(choice), "pictures": pictures})
    else:
        show_choice(choice, pictures)
    return 0 if choice.refusal is None else choice.refusal.exit_code


def _show(model: Model, choice: CardChoice | None, unknown: str, found: Inspection) -> None:
    from rich.text import Text

    from paredown.cli import console

    out = console.stdout()
    facts: list[tuple[str, str | Text]] = [
        ("file", f"{model.name}, {model.size_bytes / 1e6:.2f} MB, sha256 {model.sha256[:16]}"),
        ("opset", str(found.opset)),
        *(("input", str(spec)) for spec in model.inputs),
        *(("output", str(spec)) for spec in model.outputs),
        *([("family", Text(unknown))] if choice is None else _card_facts(choice)),
        ("weights", f"{found.weights:,} values, {found.weight_bytes / 1e6:.2f} MB"),
        ("MACs", f"{found.macs / 1e9:.3f} G for one image"),
        ("peak activations", f"{found.peak_activation_bytes / 1e6:.2f} MB, at {found.peak_node}"),
        ("operations", ", ".join(f"{op} {n}" for op, n in found.ops.items())),
    ]
    out.print(console.table(("what", "found"), facts))
    heavy = sorted(found.layers, key=lambda layer: -layer.macs)[:LAYERS]
    rows = [(h.name, h.op, f"{h.macs / 1e6:,.1f}", f"{h.weights:,}") for h in heavy]
    out.print()
    out.print(
        console.table(("heaviest layers", "op", "M MACs", "weights"), rows, numbers=("M MACs", "weights"))
    )
    for risk in found.risks:
        out.print(f"\nRisk: {risk}", markup=False)


def _card_facts(choice: CardChoice) -> list[tuple[str, str | Text]]:
    """Family, preprocessing and classes; where the preprocessing is not known, the ways it could be."""
    from rich.text import Text

    from paredown.preprocessing.values import FED, describe
    from paredown.tasks import TASKS

    card = choice.card
    height, width = card.preprocess.size
    names = ", ".join(card.classes[:6]) + (", ..." if len(card.classes) > 6 else "")
    if choice.refusal is None:
        how = f"{width}x{height}, {describe(card.preprocess)}; why: {card.origin.get(FED, 'the card')}"
    else:
        how = f"not known. {choice.refusal}"
    return [
        ("family", f"{card.family} ({card.task}): {card.origin.get('family', '')}"),
        ("preprocessing", Text(how)),
        (TASKS[card.task].WORDS.named, f"{len(card.classes)}: {names}"),
    ]


def _values(model: Model, choice: CardChoice | None, found: Inspection) -> dict[str, object]:
    from paredown.preprocessing.values import feeding_values

    return {
        "name": model.name,
        "sha256": model.sha256,
        "size_bytes": model.size_bytes,
        "inputs": model.inputs,
        "outputs": model.outputs,
        "card": None if choice is None else choice.card,
        "preprocessing": None if choice is None else feeding_values(choice.card),
        "macs": found.macs,
        "inspection": found,
    }
