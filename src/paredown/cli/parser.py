"""argparse with errors from our own tree and a did-you-mean, and the options that commands share."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from paredown.agreement import least_agreement
from paredown.cli.values import amount, count, duration, names, number, sizes, some, span
from paredown.errors import UnknownName, UsageError
from paredown.quantities import QUANTITIES, UNITS, limited


class Parser(argparse.ArgumentParser):
    """Raises UsageError where argparse would write to stderr and end the process."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        known, rest = self.parse_known_args(_joined(args), namespace)
        for word in rest:
            if word.startswith("-"):
                options = [o for o in self._option_string_actions if o.startswith("--")]
                raise UnknownName("option", word.split("=")[0], options)
        if rest:
            raise UsageError(f"too many arguments: {' '.join(rest)}", expected=self.format_usage().strip())
        return known

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"{self.prog} --help")


def _joined(args: Sequence[str] | None) -> list[str]:
    """The words with `--scale -1..1` as one: argparse would take the range for an option."""
    words = list(sys.argv[1:] if args is None else args)
    for i in range(len(words) - 1, 0, -1):
        if words[i - 1] == "--scale" and re.match(r"-[\d.]", words[i]):
            words[i - 1 : i + 1] = [f"--scale={words[i]}"]
    return words


def add_model(parser: argparse.ArgumentParser, name: str = "model") -> None:
    what = "an .onnx or .tflite file, or my_module.py:make"
    parser.add_argument(name, metavar=name.upper(), type=Path, help=what)


def add_card(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--family", metavar="NAME", help="say the model's family instead of recognising it")
    parser.add_argument(
        "--card",
        metavar="FILE",
        type=Path,
        help="a card.toml that says how to feed the model and read its answer (default: card.toml beside it)",
    )
    parser.add_argument(
        "--decode",
        metavar="FILE",
        type=Path,
        help="a Python file that reads the model's answer: `paredown new-decode MODEL` starts one",
    )
    add_input(parser)


def add_scope(parser: argparse.ArgumentParser) -> None:
    """Which answers of a detector count."""
    parser.add_argument(
        "--classes",
        metavar="NAME,NAME",
        type=names,
        default=(),
        help="judge these classes alone, by the model's or the data set's names (default: all)",
    )
    parser.add_argument(
        "--conf", metavar="C", type=number, help="the working confidence, 0 to 1 (default: the card's)"
    )
    parser.add_argument(
        "--iou",
        metavar="I",
        type=number,
        help="of two boxes of a class that overlap by more the less certain is dropped (default: the card's)",
    )


def add_effort(parser: argparse.ArgumentParser) -> None:
    """How much is looked at: less is quicker and tells less."""
    parser.add_argument(
        "--calibration-images", metavar="N", type=some, help="images to calibrate on (default: 100)"
    )
    parser.add_argument(
        "--evaluation-images",
        metavar="N",
        type=count,
        default=0,
        help="judge on N of the images, always the same (default: all)",
    )
    parser.add_argument(
        "--timing", metavar="TIME", type=span, help="how long each model is timed at least: 10s (default: 3s)"
    )


def add_fps(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fps",
        metavar="N",
        type=number,
        help="frames per second that a model must keep up with: a verdict for each",
    )


def add_input(parser: argparse.ArgumentParser) -> None:
    """How the model is fed, where neither card nor file nor images with truth tell it."""
    parser.add_argument(
        "--scale",
        metavar="VALUES",
        help="what pixels become: 0..1, 0..255, -1..1, imagenet, caffe, 1/255, any LOW..HIGH",
    )
    parser.add_argument("--colour", metavar="ORDER", help="order of the channels: rgb or bgr")
    parser.add_argument(
        "--fit",
        metavar="HOW",
        help="how an image meets the input: letterbox, letterbox-corner, stretch, crop",
    )
    parser.add_argument(
        "--input",
        metavar="SHAPE",
        action="append",
        default=[],
        help="the shape of an input left open: 1x3x640x640, or NAME=1x3x640x640; may be given again",
    )
    parser.add_argument(
        "--inputs",
        metavar="FILE",
        type=Path,
        help="an .npz file with what the inputs beside the image are fed, by name",
    )
    parser.add_argument(
        "--dequantize",
        action="store_true",
        help="start from a model that is quantized already, its numbers turned to floats",
    )


def add_data(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument(
        "--data",
        metavar="DATA",
        required=required,
        help="the images to judge on: a path whose format is found by looking, or FORMAT:PATH",
    )
    add_reading(parser)


def add_calib(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    parser.add_argument(
        "--calib",
        metavar="DATA",
        required=required,
        help="the images to calibrate on" + ("" if required else " (default: a part of --data)"),
    )


def add_learn_from(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--learn-from",
        metavar="DATA",
        help="unlabelled images of anything: steps that learn take crops of them",
    )


def add_reading(parser: argparse.ArgumentParser) -> None:
    """What holds for every data set that a command reads."""
    parser.add_argument(
        "--allow-outside",
        action="store_true",
        help="let links, lists and paths of a data set name files outside its own folder",
    )
    parser.add_argument(
        "--max-bad",
        metavar="N",
        type=count,
        default=0,
        help="leave out up to N unreadable images (default: 0)",
    )


def add_making(parser: argparse.ArgumentParser) -> None:
    """What a recipe's outcome depends on besides the images."""
    parser.add_argument(
        "--keep-float",
        metavar="NAME",
        action="append",
        default=[],
        help="leave this node float; may be given more than once",
    )
    parser.add_argument(
        "--seed", metavar="N", type=count, default=0, help="seed of every choice (default: 0)"
    )


def agreements(points: float) -> str:
    """The agreement that goes with so many points, in words."""
    detectors, classifiers = (least_agreement(metric, points) for metric in ("map50_95", "top1"))
    return f"{detectors:g} for detectors and {classifiers:g} for classifiers"


def add_limits(parser: argparse.ArgumentParser, default_drop: str, default_agreement: str) -> None:
    parser.add_argument(
        "--max-drop",
        metavar="P",
        type=number,
        help=f"points of mAP50-95 or top-1 that may be lost; needs truth (default: {default_drop})",
    )
    parser.add_argument(
        "--min-agreement",
        metavar="P",
        type=number,
        help="images without truth: per cent of agreement with the float model's answers to keep "
        f"(default: {default_agreement})",
    )
    for name, limit in limited().items():
        unit = QUANTITIES[name].unit
        parser.add_argument(
            limit.option, metavar=UNITS[unit].shown.upper(), type=amount(unit), dest=name, help=limit.help
        )


def add_search(parser: argparse.ArgumentParser) -> None:
    """Limits, budget and recipes of a whole job."""
    kept, mixed = (agreements(points) for points in (1.0, 0.5))
    add_limits(parser, "1.0; 0.5 for the recipe mixed", f"{kept}; {mixed} for the recipe mixed")
    parser.add_argument(
        "--budget",
        metavar="TIME",
        type=duration,
        help="start no new recipe after this time: 90s, 30m, 2h (with --runtimes: 20m)",
    )
    parser.add_argument(
        "--recipes",
        metavar="NAME,NAME",
        type=names,
        default=(),
        help="try these (see `paredown list recipes`)",
    )
    parser.add_argument(
        "--runtimes",
        metavar="NAME,NAME",
        type=names,
        default=(),
        help="try every recipe in these (`paredown list runtimes`), or in all that are installed "
        "(default: the target's usual one)",
    )
    parser.add_argument(
        "--sizes",
        metavar="PX,PX",
        type=sizes,
        default=(),
        help="try every recipe at these input sizes (longer side; default: the model's own); auto: at the "
        "smallest that keeps the limit",
    )
    parser.add_argument(
        "--search",
        metavar="N",
        nargs="?",
        type=count,
        const=0,
        help="after those, try up to N recipes that a search proposes (default: as the budget allows)",
    )


def add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace an existing file, or write into a folder that holds something else",
    )


def add_output(parser: argparse.ArgumentParser, *, json: bool = True) -> None:
    if json:
        parser.add_argument("--json", action="store_true", help="machine-readable output on stdout")
    parser.add_argument("--quiet", action="store_true", help="no progress and no notes on stderr")
