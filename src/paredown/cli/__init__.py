"""The command line: `main`, and the table of commands. Each command is one file beside this one.

A command's file has EXAMPLE, `arguments(parser)` and `main(args) -> exit code`; it is imported when its
command is typed, and imports heavy packages only when it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from paredown import __version__
from paredown.cli.parser import Parser
from paredown.cli.signals import SHELL, ended_by, stoppable
from paredown.errors import MEMORY_HINT, ParedownError, UnknownName, first_line, ran_out_of_memory
from paredown.printable import printable

COMMANDS = {
    "run": "search, measure, report and bundle: the whole job",
    "inspect": "what a model is: family, inputs and outputs, operations, weights, memory, risks",
    "card": "write a card.toml: how the model is fed and its answer read, with what is not certain",
    "new-decode": "start a Python file that reads the answer of a model that no family reads",
    "check": "a data set looked over before it is used: labels, classes, copies",
    "compress": "apply one recipe",
    "measure": "accuracy, latency, CPU use, memory and energy of one model",
    "compare": "two models on the same images: paired statistics and side-by-side pictures",
    "study": "a whole experiment from one file, of one model or of several",
    "watch": "follow a study that runs, from another terminal",
    "report": "write the report of a study directory again",
    "pack": "a model file in fewer bytes (.pdz), for the way to the device",
    "unpack": "the ONNX file in a .pdz, to the byte",
    "demo": "the whole job on an embedded model and drawn pictures, offline",
    "list": "recipes, steps, families, targets, runtimes, metrics, formats, sensors",
    "doctor": "is this machine fit to time on?",
}


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 done, 1 failed, 2 usage, 3 a gate not met, 128 + the signal that ended it."""
    words = [*(sys.argv[1:] if argv is None else argv)]  # `list` is a command of this package
    with stoppable() as received:
        code = _guarded(words)
        return SHELL + received[0] if received else code


def _guarded(words: list[str]) -> int:
    """The exit code, every exception told on stderr."""
    debug = "--debug" in words
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except ParedownError as e:
        if debug:
            _complain(traceback.format_exc())
        _complain(f"error: {e}")
        return e.exit_code
    except KeyboardInterrupt as e:
        words_for_it, code = ended_by(e)
        _complain(words_for_it)
        return code
    except BrokenPipeError:  # `paredown list | head`: the reader has gone, and so must we, quietly
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as e:  # the outermost border: what reaches it is a defect, shown without a traceback
        if debug:
            _complain(traceback.format_exc())
        if ran_out_of_memory(e):
            error = ParedownError("out of memory", got=first_line(e), hint=MEMORY_HINT)
        else:
            error = ParedownError(
                f"a defect in paredown: {type(e).__name__}: {e}", hint="--debug shows where"
            )
        _complain(f"error: {error}")
        return 1


def _dispatch(words: list[str]) -> int:
    parser = _overview()
    if not words or words[0] in ("-h", "--help"):
        parser.print_help(sys.stdout if words else sys.stderr)
        return 0 if words else 2
    if words[0] == "--version":
        sys.stdout.write(f"paredown {__version__}\n")
        return 0
    name = words[0]
    if name not in COMMANDS:
        raise UnknownName("command" if not name.startswith("-") else "option", name, COMMANDS)
    command = import_module(f"paredown.cli.{name.replace('-', '_')}")
    parser = Parser(
        prog=f"paredown {name}",
        description=COMMANDS[name][0].upper() + COMMANDS[name][1:] + ".",
        epilog=f"example:\n  {command.EXAMPLE}",
    )
    command.arguments(parser)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    try:
        args = parser.parse_args(words[1:])
        args.typed = shlex.join(["paredown", *words])  # for what says how to go on
    except SystemExit as e:  # argparse ends the process after --help
        return int(e.code or 0)
    return int(command.main(args))


def _overview() -> argparse.ArgumentParser:
    lines = "\n".join(f"  {name:<12}{summary}" for name, summary in COMMANDS.items())
    return Parser(
        prog="paredown",
        usage="paredown COMMAND ...",
        description="Pare a trained vision model down for its device, and measure what came out.",
        epilog=f"commands:\n{lines}\n\n"
        "`paredown COMMAND --help` shows its options and an example.\n\n"
        "example:\n  paredown run yolov8n.onnx --data coco_eval/ --calib coco_calib/ --out runs/y8",
    )


def _complain(text: str) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{printable(text.rstrip(), keep_lines=True)}\n\n")
        sys.stderr.flush()
