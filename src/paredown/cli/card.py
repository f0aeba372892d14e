"""`paredown card`: a card.toml to look at, and to correct."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from paredown.cli import parser as shared

if TYPE_CHECKING:
    from paredown._measure.feeding.card_choice import CardChoice

EXAMPLE = "paredown card yolov8n.onnx --data coco_calib/"


def arguments(parser: argparse.ArgumentParser) -> None:
    shared.add_model(parser)
    shared.add_data(parser, required=False)
    shared.add_card(parser)
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="the file (default: MODEL's name with .card.toml, beside it, where every command finds it)",
    )
    shared.add_force(parser)
    shared.add_output(parser)


def main(args: argparse.Namespace) -> int:
    from paredown import api, saving
    from paredown.cli import console
    from paredown.cli.feeding import values_of
    from paredown.cli.loading import hints_of
    from paredown.families.model_parts import read_parts
    from paredown.files import check_named
    from paredown.inputs import CARD, read_model

    voice = console.Voice(args.quiet)
    out = args.out or args.model.with_name(f"{args.model.stem}.card.toml")
    check_named(out, force=args.force)
    images = None
    if args.data is not None:
        images = api.read_dataset(
            args.data, max_bad=args.max_bad, allow_outside=args.allow_outside, progress=voice.progress
        )
        for note in images.notes:
            voice.say(note)
    model = read_model(args.model, hints_of(args))
    choice = api.choose(model, args.model, hints_of(args), images, voice.progress)
    parts = read_parts(args.model) if args.model.suffix.lower() == CARD else None
    saving.save_card(choice, model, out, parts=parts, force=args.force)
    unknown = _unknown(choice)
    if args.json:
        console.show_json({"card": str(out), "unknown": unknown, **values_of(choice)})
        return 0
    console.stdout().print(str(out), markup=False, soft_wrap=True)
    for what in unknown:
        voice.say(f"not known: {what}")
    return 0


def _unknown(choice: CardChoice) -> list[str]:
    """What a person should fill in."""
    from paredown.families.card_file import uncertain_keys

    unknown = []
    if choice.refusal is not None:
        unknown.append(f"[input] {', '.join(uncertain_keys(choice.open_cards))}: {choice.refusal.what}")
    if choice.card.origin.get("classes", "").startswith("unnamed"):
        unknown.append(f"classes: {choice.card.origin['classes']}")
    return unknown
