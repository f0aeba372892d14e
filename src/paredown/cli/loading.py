"""A model as a command loads it: with what was said about it, and how it is fed said aloud."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from paredown import api
from paredown._measure.align import align
from paredown.cli.console import Voice
from paredown.families.hints import Hints
from paredown.loading import load_unread
from paredown.model import Model
from paredown.preprocessing.values import feeding, feeding_values
from paredown.sample import Dataset


def load(
    path: Path, images: Dataset, args: argparse.Namespace, voice: Voice, *, judged: bool = True
) -> Model:
    """The model with its card; how it is fed and read, and why, is said on stderr.

    judged: the model is judged by the images' truth, so how their classes become the model's is said too.
    Else its answer need not be read: one that nothing here reads is taken value by value, and that is said.
    """
    said = asdict(hints_of(args))
    if judged:
        model = api.load(path, images, **said, progress=voice.progress)
    else:
        model, unread = load_unread(path, images, **said, progress=voice.progress)
        if unread:
            voice.say(unread)
    if model.card is not None:
        voice.say(feeding(model.card))
        for part in ("family", "classes"):
            voice.say(f"{part}: {model.card.origin.get(part, 'the card')}")
        for note in align(images, model.card)[1] if judged else ():
            voice.say(note)
    return model


def hints_of(args: argparse.Namespace) -> Hints:
    """What was said about the model on the command line."""
    return Hints(
        args.family,
        args.card,
        args.scale,
        args.colour,
        args.fit,
        args.decode,
        tuple(args.input),
        args.inputs,
        args.dequantize,
    )


def feeding_of(model: Model) -> dict[str, object]:
    """How the model is fed, for --json; empty where it carries no card."""
    return {} if model.card is None else feeding_values(model.card)
