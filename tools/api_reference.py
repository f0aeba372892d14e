"""Writes the API reference: one HTML page of every public name, from its signature and docstring.

python tools/api_reference.py build/docs
"""

from __future__ import annotations

import sys
from pathlib import Path

import pdoc

import paredown


def main(out: Path) -> None:
    """Public names are imported when they are first used; pdoc reads those that are there."""
    for name in paredown.__all__:
        setattr(paredown, name, getattr(paredown, name))
    pdoc.render.configure(docformat="markdown", show_source=False)
    pdoc.pdoc("paredown", output_directory=out)
    sys.stdout.write(f"{out / 'paredown.html'}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/docs"))
