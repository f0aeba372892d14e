"""`paredown new-decode`: a Python file to begin with, for a model whose answer no family reads."""

from __future__ import annotations

import argparse
from pathlib import Path

from paredown.cli import parser as shared

EXAMPLE = "paredown new-decode model.onnx --data photos/ --out my_head.py"
IMAGES = 6  # that values are looked at on


def arguments(parser: argparse.ArgumentParser) -> None:
    shared.add_model(parser)
    shared.add_data(parser, required=False)
    shared.add_input(parser)
    parser.add_argument(
        "--out", metavar="FILE", type=Path, default=Path("my_head.py"), help="the file (default: my_head.py)"
    )
    shared.add_force(parser)
    shared.add_output(parser)


def main(args: argparse.Namespace) -> int:
    from paredown import api
    from paredown._measure.feeding.answers import Answers, several
    from paredown.cli import console
    from paredown.families.hints import Hints
    from paredown.families.recognition import ANY
    from paredown.families.starter import starter
    from paredown.files import check_named, write_whole
    from paredown.graph.run import random_feeds, run_once
    from paredown.inputs import read_model

    voice = console.Voice(args.quiet)
    check_named(args.out, force=args.force)
    how = Hints(
        ANY, None, args.scale, args.colour, args.fit, None, tuple(args.input), args.inputs, args.dequantize
    )
    model = read_model(args.model, how)
    if args.data is None:
        answers, on = [dict(run_once(model.data, random_feeds(model, seed=i))) for i in range(2)], "noise"
    else:
        card = api.choose(model, args.model, how).settled()
        images = api.read_dataset(
            args.data, max_bad=args.max_bad, allow_outside=args.allow_outside, progress=voice.progress
        )
        session = api.target().compile(model.data)
        shown = several(images, IMAGES)
        answers = [dict(outputs) for _, outputs, _ in Answers(session, shown).fed(card.preprocess)]
        on = f"{len(shown)} images"
    write_whole(args.out, starter(args.model.name, answers, on).encode())
    if args.json:
        console.show_json({"decode": str(args.out), "outputs": [spec.name for spec in model.outputs]})
        return 0
    console.stdout().print(str(args.out), markup=False, soft_wrap=True)
    look = f"paredown inspect {args.model} --decode {args.out} --data DATA --out looked/"
    voice.say(f"fill it in, then: {look}", whole=True)
    return 0
