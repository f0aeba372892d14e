"""`paredown unpack`: the ONNX file in a .pdz, to the byte."""

from __future__ import annotations

import argparse
from pathlib import Path

from paredown.cli import parser as shared

EXAMPLE = "paredown unpack model.pdz --out model.onnx"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("packed", metavar="FILE", type=Path, help="a .pdz file that `paredown pack` made")
    parser.add_argument("--out", metavar="FILE", type=Path, help="default: its name with .onnx")
    shared.add_force(parser)
    shared.add_output(parser)


def main(args: argparse.Namespace) -> int:
    from paredown._compress.pack import pdz
    from paredown.cli import console
    from paredown.files import check_named, write_named

    out = args.out or args.packed.with_suffix(".onnx")
    check_named(out, force=args.force)
    data = pdz.unpack_file(args.packed)
    write_named(out, data, force=args.force)
    if args.json:
        console.show_json({"file": str(out), "size_bytes": len(data)})
        return 0
    console.stdout().print(f"{out}: {len(data) / 1e6:.3f} MB", markup=False, soft_wrap=True)
    return 0
