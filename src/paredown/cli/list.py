"""`paredown list`: what the tables hold, one name per line with a summary."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING

from paredown.cli.parser import add_output
from paredown.errors import UnknownName

if TYPE_CHECKING:
    from paredown.device import Device

EXAMPLE = "paredown list recipes"
KINDS = ("recipes", "steps", "families", "targets", "runtimes", "metrics", "formats", "sensors", "hosts")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", nargs="?", help=f"one of {', '.join(KINDS)} (default: all)")
    add_output(parser)


def main(args: argparse.Namespace) -> int:
    from paredown.cli import console

    if args.kind is not None and args.kind not in KINDS:
        raise UnknownName("kind of list", args.kind, KINDS)
    found = {kind: summaries(kind) for kind in (KINDS if args.kind is None else (args.kind,))}
    if args.json:
        console.show_json(found if args.kind is None else found[args.kind])
        return 0
    out = console.stdout()
    for kind, names in found.items():
        if args.kind is None:
            out.print(f"{kind}:", style="bold")
        rows = [("" if args.kind else "  ") + name for name in names]
        out.print(console.table(("name", "summary"), list(zip(rows, names.values(), strict=True))))
        if args.kind is None:
            out.print()
    return 0


def summaries(kind: str) -> dict[str, str]:
    """The names of a table with their summaries."""
    from paredown import data
    from paredown._compress.presets import PRESETS
    from paredown._compress.steps import STEPS
    from paredown.families import FAMILIES
    from paredown.hosts import HOSTS, open_host
    from paredown.metrics import METRICS
    from paredown.runtimes import RUNTIMES
    from paredown.sensors import SENSORS
    from paredown.targets import devices

    tables = {
        "recipes": lambda: {name: f"{spelled}: {summary}" for name, (spelled, summary) in PRESETS.items()},
        "steps": lambda: {name: step.summary for name, (step, _) in STEPS.items()},
        "families": lambda: {name: family.SUMMARY for name, family in FAMILIES.items()},
        "targets": lambda: {name: _device(device) for name, device in devices(open_host().facts()).items()},
        "runtimes": lambda: {name: _runtime(name) for name in RUNTIMES},
        "metrics": lambda: {name: metric.summary for name, metric in METRICS.items()},
        "formats": lambda: {name: form.summary for name, form in data.FORMATS.items()},
        "sensors": lambda: {name: str(import_module(m).SUMMARY) for name, m in SENSORS.items()},
        "hosts": lambda: {name: str(import_module(m).SUMMARY) for name, m in HOSTS.items()},
    }
    return tables[kind]()


def _device(device: Device) -> str:
    """Its summary, then what its table knows: memory, what it can run, what tells its power."""
    parts = [device.summary]
    if device.memory_bytes:
        parts.append(f"{' or '.join(f'{size / 2**30:.2g}' for size in device.memory_bytes)} GiB")
    if len(device.runtimes) > 1:
        parts.append(f"runs {', '.join(device.runtimes)}")
    if device.sensors:
        parts.append(f"power by {' or '.join(device.sensors)}")
    return "; ".join(parts)


def _runtime(name: str) -> str:
    """Its version, or the command that installs it; then what it takes and what it makes of it."""
    from paredown.errors import MissingDependency
    from paredown.runtimes import runtime

    found = runtime(name)
    try:
        there = found.version()
    except MissingDependency as error:
        there = f"not installed ({error.hint})"
    return f"{there}: {found.SUMMARY}"
