"""`paredown pack`: a model file in fewer bytes, for the way to the device."""

from __future__ import annotations

import argparse
from pathlib import Path

from paredown.cli import parser as shared

EXAMPLE = "paredown pack small/model.onnx --out model.pdz"


def arguments(parser: argparse.ArgumentParser) -> None:
    shared.add_model(parser)
    parser.add_argument("--out", metavar="FILE", type=Path, help="default: the model's name with .pdz")
    shared.add_force(parser)
    shared.add_output(parser)


def main(args: argparse.Namespace) -> int:
    from paredown._compress.pack import pdz
    from paredown.cli import console
    from paredown.files import check_named, write_named
    from paredown.graph.load import read_model_file

    out = args.out or args.model.with_suffix(".pdz")
    check_named(out, force=args.force)
    data = read_model_file(args.model)
    packed = pdz.pack(data)
    write_named(out, packed, force=args.force)
    if args.json:
        console.show_json({"file": str(out), "size_bytes": len(packed), "source_size_bytes": len(data)})
        return 0
    ratio = len(data) / len(packed)
    text = f"{out}: {len(data) / 1e6:.3f} MB -> {len(packed) / 1e6:.3f} MB, {ratio:.2f} times smaller"
    console.stdout().print(text, markup=False, soft_wrap=True)
    return 0
