"""Puts the measured tables into the pages of docs/ and README.md, between their markers.

    python benchmarks/render.py [FILE ...]

A file says where a table belongs: `<!-- table:NAME -->` on a line, `<!-- /table -->` on a later one. All
between the two is replaced. A table that was not measured yet says so.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import any_model_tables
import peer_tables
import recipe_tables
import runtime_tables
import tables

HERE = Path(__file__).parent
_WRITERS = (tables, recipe_tables, runtime_tables, peer_tables, any_model_tables)
TABLES = {name: table for module in _WRITERS for name, table in module.TABLES.items()}
DOCS = HERE.parent / "docs"
DEFAULT_FILES = (
    *(
        DOCS / name
        for name in (
            "agreement.md",
            "benchmarks.md",
            "cpus.md",
            "deep_compression.md",
            "evidence.md",
            "int4.md",
            "input_size.md",
            "int8.md",
            "learning.md",
            "litert.md",
            "mixed.md",
            "models.md",
            "ncnn.md",
            "openvino.md",
            "pruning.md",
            "report.md",
            "rounding.md",
            "search.md",
            "unknown_model.md",
        )
    ),
    HERE.parent / "README.md",
)
_PLACE = re.compile(r"(<!-- table:(\S+) -->\n)(.*?)(<!-- /table -->)", re.DOTALL)


def main() -> int:
    """Exit code: 1 where a file asks for an unknown table."""
    for file in [Path(a) for a in sys.argv[1:]] or DEFAULT_FILES:
        text = file.read_text(encoding="utf-8")
        unknown = [m[2] for m in _PLACE.finditer(text) if m[2] not in TABLES]
        if unknown:
            print(f"{file}: no table {unknown[0]!r}; there are {', '.join(TABLES)}", file=sys.stderr)
            return 1
        file.write_text(rendered(text, HERE / "results"), encoding="utf-8")
    return 0


def rendered(text: str, results: Path) -> str:
    """The text with every table written anew from the results."""

    def fill(place: re.Match[str]) -> str:
        name, write = TABLES[place[2]]
        source = results / name
        table = write(json.loads(source.read_text())) if source.exists() else "Not measured yet.\n"
        return f"{place[1]}{table}{place[4]}"

    return _PLACE.sub(fill, text)


if __name__ == "__main__":
    sys.exit(main())
