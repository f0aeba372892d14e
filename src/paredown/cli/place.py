"""The options that say where models run: target, runtime, host, and what tells watts there."""

from __future__ import annotations

import argparse

from paredown.cli.values import count, names, number


def add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--target", metavar="T", default="local", help="where it must run (default: local)")
    parser.add_argument(
        "--threads",
        metavar="N",
        type=count,
        default=0,
        help="threads of the runtime (default: 0, its own choice)",
    )


def add_host(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host",
        metavar="H",
        default="local",
        help="the machine that stands for the target: ssh:user@board (default: local, this one)",
    )


def add_hosts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host",
        metavar="H,H",
        type=names,
        action="extend",
        default=[],
        help="the machine that stands for the target: ssh:user@board (default: local, this one); of several, "
        "`ssh:pi@a,ssh:jetson@b,local`, each is tried, all at the same time",
    )


def add_accuracy_on(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--accuracy-on",
        choices=("host", "here"),
        default="host",
        help="where models answer for their accuracy; `here` is quicker and said so (default: host)",
    )


def add_runtime(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runtime",
        metavar="NAME",
        default="",
        help="what opens the model, see `paredown list runtimes` (default: the target's usual one)",
    )


def watts(text: str) -> tuple[float, ...]:
    """The two numbers of "2.5,7"."""
    found = tuple(number(part) for part in names(text))
    if len(found) != 2 or not found[0] < found[1]:
        raise argparse.ArgumentTypeError(f"{text!r} is no W_IDLE,W_BUSY, watts at rest and busy: 2.5,7")
    return found


def add_power(parser: argparse.ArgumentParser) -> None:
    """Where watts come from, if not from the machine's own sensor."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--power-log",
        metavar="FILE",
        help="energy by an external meter: the CSV file it goes on writing, or its serial port",
    )
    where.add_argument(
        "--sensor",
        metavar="NAME",
        default="",
        help="which of the machine's own sensors of power, see `paredown list sensors` (default: the first)",
    )
    where.add_argument(
        "--power-model",
        metavar="W_IDLE,W_BUSY",
        type=watts,
        default=(),
        help="without a sensor: watts at rest and with all cores busy; energy is then estimated",
    )
