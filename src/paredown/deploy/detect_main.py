"""The command line of the bundle's `detect.py`, which is made of this file and those it imports.

It runs on a device that has no Paredown: standard library, numpy, OpenCV and ONNX Runtime only.
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

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from paredown.card import Card
from paredown.deploy.save import open_output
from paredown.deploy.sources import DeviceError, find_source, frame_rate, read_images
from paredown.detections import Detections, Prediction
from paredown.draw import class_colour, draw_detections, draw_label
from paredown.graph.session_options import session_options
from paredown.hosts.cpu import saturates
from paredown.preprocessing.tensor import preprocess
from paredown.printable import printable

Decode = Callable[..., Prediction]
SAVE = "a folder for the pictures with their boxes, or one video: a name ending in .mp4 or .avi"
TOP = 5  # classes named for an image by a classifier


class DeviceModel:
    """model.onnx with its card and its family's decoder: an image goes in, a prediction comes out."""

    def __init__(
        self, path: Path, card: Card, decode: Decode, threads: int = 0, *, saturated: bool = False
    ) -> None:
        """threads: 0 takes all usable cores. saturated: whether sums saturated where it was measured."""
        if not path.is_file():
            raise DeviceError(f"no model file {path}")
        options = session_options(threads, exact_products=saturates() and not saturated)
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.outputs = [o.name for o in self.session.get_outputs()]
        self.card, self.decode = card, decode

    def predict(self, image: NDArray[np.uint8], conf: float) -> tuple[Prediction, dict[str, float]]:
        """The prediction for an RGB image (H, W, 3), and the milliseconds of each part."""
        marks = [time.perf_counter()]
        tensor, frame = preprocess(image, self.card.preprocess)
        marks.append(time.perf_counter())
        answers = self.session.run(self.outputs, {self.input: tensor})
        marks.append(time.perf_counter())
        card = self.card
        answer = dict(zip(self.outputs, answers, strict=True))
        found = self.decode(answer, card, frame, conf=conf, iou=card.iou, max_detections=card.max_detections)
        marks.append(time.perf_counter())
        parts = ("preprocess", "inference", "decode")
        spent = {part: 1e3 * (b - a) for part, a, b in zip(parts, marks, marks[1:], strict=False)}
        return found, spent


def main(
    decode: Decode,
    read_card: Callable[[Path], Card],
    argv: Sequence[str] | None = None,
    *,
    threads: int = 0,
    saturated: bool = False,
) -> int:
    """The exit code: 0, or 1 with one line on stderr. threads, saturated: as the model was measured."""
    args = _arguments(threads).parse_args(argv)
    here = Path(__file__).resolve().parent
    try:
        card = read_card(args.card or here / "card.toml")
        model = DeviceModel(
            args.model or here / "model.onnx", card, decode, args.threads, saturated=saturated
        )
        _run(model, args)
    except DeviceError as error:
        sys.stderr.write(f"detect.py: {printable(str(error))}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        sys.stderr.close()
    return 0


def _arguments(threads: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="detect.py",
        description="Run the model of this folder on an image, a folder of images, a video or a camera.",
        epilog="examples: detect.py photo.jpg --save out; detect.py 0; detect.py clip.mp4 --save out.mp4",
    )
    parser.add_argument("source", help="image, folder, video, stream address, or camera number (0, 1, ...)")
    parser.add_argument("--conf", type=float, help="least confidence shown (default: the card's)")
    parser.add_argument("--save", type=Path, metavar="PATH", help=SAVE)
    parser.add_argument("--json", action="store_true", help="one JSON object per image on stdout")
    parser.add_argument("--frames", type=int, metavar="N", help="stop after N images")
    usual = f"{threads}, as measured" if threads else "one per core"
    parser.add_argument("--threads", type=int, default=threads, help=f"threads (default: {usual})")
    parser.add_argument("--model", type=Path, help="another model file than model.onnx beside this script")
    parser.add_argument("--card", type=Path, help="another card than card.toml beside this script")
    return parser


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


def top_classes(scores: NDArray[np.float32]) -> list[int]:
    return [int(i) for i in np.argsort(-scores, kind="stable")[:TOP]]


def class_name(card: Card, number: int) -> str:
    """The name of a class; a number that the card's list does not have stands for itself."""
    return card.classes[number] if 0 <= number < len(card.classes) else f"class {number}"


def as_json(name: str, found: Prediction, card: Card, spent: dict[str, float]) -> dict[str, object]:
    """Plain values: boxes are x1 y1 x2 y2 in pixels of the image."""
    times = {part: round(ms, 3) for part, ms in spent.items()}
    if isinstance(found, Detections):
        rows = [
            {"class": class_name(card, int(c)), "score": float(s), "box": [float(v) for v in box]}
            for c, s, box in zip(found.classes, found.scores, found.boxes, strict=True)
        ]
        return {"image": name, "detections": rows, "milliseconds": times}
    best = [
        {"class": class_name(card, i), "score": float(found.scores[i])} for i in top_classes(found.scores)
    ]
    return {"image": name, "classes": best, "milliseconds": times}


def as_text(name: str, found: Prediction, card: Card) -> str:
    """ "street.jpg: 3 person, 1 dog" """
    if not isinstance(found, Detections):
        best = top_classes(found.scores)
        return f"{name}: " + ", ".join(f"{class_name(card, i)} {found.scores[i]:.3f}" for i in best)
    counts: dict[str, int] = {}
    for c in found.classes:
        counts[class_name(card, int(c))] = counts.get(class_name(card, int(c)), 0) + 1
    return f"{name}: " + (", ".join(f"{n} {c}" for c, n in counts.items()) or "nothing found")


def picture(image: NDArray[np.uint8], found: Prediction, card: Card) -> NDArray[np.uint8]:
    """The RGB image with boxes, or with the best class in its corner."""
    if isinstance(found, Detections):
        return draw_detections(image, found, card.classes)
    canvas, best = image.copy(), top_classes(found.scores)[0]
    draw_label(canvas, f"{class_name(card, best)} {found.scores[best]:.3f}", (0, 0), class_colour(best))
    return canvas
