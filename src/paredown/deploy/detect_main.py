"""The command line of the bundle's `detect.py`, which is made of this file and those it imports.

It runs on a device that has no Paredown: standard library, numpy, OpenCV and the package of one runtime.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from paredown.card import Card
from paredown.deploy.answers import as_json, as_text, mask_of, picture
from paredown.deploy.device_model import Decode, DeviceModel, Opening
from paredown.deploy.save import open_output
from paredown.deploy.sources import DeviceError, find_source, frame_rate, read_images
from paredown.errors import ParedownError
from paredown.printable import printable

SAVE = "a folder for the pictures with their boxes, or one video: a name ending in .mp4 or .avi"


def main(
    decode: Decode, read_card: Callable[[Path], Card], opening: Opening, argv: Sequence[str] | None = None
) -> int:
    """The exit code: 0, or 1 with what went wrong on stderr. opening: as the model was measured."""
    args = _arguments(opening).parse_args(argv)
    here = Path(__file__).resolve().parent
    try:
        card = read_card(args.card or here / "card.toml")
        file = args.model or here / opening.names[0]
        _run(DeviceModel(file, card, decode, opening, args.threads, args.classes), args)
    except (DeviceError, ParedownError) as error:
        sys.stderr.write(f"detect.py: {printable(str(error), keep_lines=True)}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        sys.stderr.close()
    return 0


def _arguments(opening: Opening) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="detect.py",
        description="Run the model of this folder on an image, a folder of images, a video or a camera.",
        epilog="examples: detect.py photo.jpg --save out; detect.py 0; detect.py clip.mp4 --save out.mp4",
    )
    parser.add_argument("source", help="image, folder, video, stream address, or camera number (0, 1, ...)")
    parser.add_argument("--conf", type=float, help="least confidence shown (default: the card's)")
    usual = ", ".join(opening.classes) or "all"
    parser.add_argument("--classes", type=_names, metavar="A,B", help=f"these, or all (default: {usual})")
    parser.add_argument("--save", type=Path, metavar="PATH", help=SAVE)
    parser.add_argument("--json", action="store_true", help="one JSON object per image on stdout")
    parser.add_argument("--frames", type=int, metavar="N", help="stop after N images")
    usual = f"{opening.threads}, as measured" if opening.threads else "one per core"
    parser.add_argument("--threads", type=int, default=opening.threads, help=f"threads (default: {usual})")
    first, *more = opening.names
    beside = f", {' and '.join(more)} of its name with it" if more else ""
    parser.add_argument("--model", type=Path, help=f"another file than {first} beside this script{beside}")
    parser.add_argument("--card", type=Path, help="another card than card.toml beside this script")
    return parser


def _names(text: str) -> tuple[str, ...]:
    """The names of "a,b"; none of "all"."""
    return () if text.strip() == "all" else tuple(n.strip() for n in text.split(",") if n.strip())


def _run(model: DeviceModel, args: argparse.Namespace) -> None:
    conf = model.card.conf if args.conf is None else args.conf
    source = find_source(args.source)
    output = None if args.save is None else open_output(args.save, frame_rate(source))
    seconds: list[float] = []
    pictures = islice(read_images(source), args.frames)
    try:
        for name, image in _timed(pictures, seconds):
            found, spent = model.predict(image, conf)
            if args.json:
                line = json.dumps(as_json(name, found, model.card, spent))
            else:
                line = f"{as_text(name, found, model.card)}  ({spent['inference']:.1f} ms)"
            sys.stdout.write(printable(line) + "\n")
            sys.stdout.flush()
            if output is not None:
                output.write(name, picture(image, found, model.card))
                if (mask := mask_of(found)) is not None:
                    output.write_mask(mask)
    finally:
        if output is not None:
            output.close()
    if seconds:
        images = f"{len(seconds)} image{'' if len(seconds) == 1 else 's'}"
        sys.stderr.write(f"{images}, {len(seconds) / max(sum(seconds), 1e-9):.1f} per second\n")


def _timed(pictures: Iterator[Any], seconds: list[float]) -> Iterator[Any]:
    """The pictures; `seconds` gets the time of each, from asking for it to asking for the next."""
    start = time.perf_counter()
    for item in pictures:
        yield item
        now = time.perf_counter()
        seconds.append(now - start)
        start = now
