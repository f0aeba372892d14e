"""`paredown doctor`: is this machine fit to time on, and is it the CPU that a model was made for?"""

from __future__ import annotations

import argparse
from pathlib import Path

from paredown.cli import parser as shared
from paredown.cli import place

EXAMPLE = "paredown doctor best/model.onnx --target raspberry-pi-5"
STYLES = {"ok": "green", "warn": "yellow", "bad": "bold red"}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", metavar="MODEL", nargs="?", type=Path, help="an ONNX file: was it made for this CPU?"
    )
    parser.add_argument(
        "--target", metavar="T", default="local", help="the device it should be (default: local)"
    )
    place.add_host(parser)
    shared.add_output(parser)


def main(args: argparse.Namespace) -> int:
    from rich.text import Text

    from paredown import api
    from paredown._measure.doctor import check, fit_to_time
    from paredown.cli import console
    from paredown.hosts import open_host
    from paredown.printable import printable
    from paredown.targets import target

    metadata = None if args.model is None else api.load(args.model).metadata
    findings = check(target(args.target, open_host(args.host)), metadata)
    fit = fit_to_time(findings)
    if args.json:
        console.show_json({"fit_to_time": fit, "findings": findings})
        return 0 if fit else 1
    rows = []
    for found in findings:
        parts = (found.what, found.why, f"hint: {found.hint}" if found.hint else "")
        words = "\n".join(printable(part) for part in parts if part)
        rows.append((Text(found.level, style=STYLES[found.level]), Text(words)))
    out, spot = console.stdout(), "here" if args.host == "local" else "there"
    out.print(console.table(("", "this machine" if args.host == "local" else args.host), rows))
    out.print()
    out.print(
        f"Latencies taken {spot} can be believed." if fit else f"Latencies taken {spot} cannot be believed.",
        style="bold",
    )
    return 0 if fit else 1
