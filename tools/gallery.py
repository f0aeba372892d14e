"""Builds the reports of the studies in studies/short (or of the files named) and a page that leads to them.

    python tools/gallery.py [--out build/gallery] [FILE ...]    # `make gallery`

Each study goes on where an earlier call left it. What a study could not try (a model that is not at hand) is
said in its own report; a study that fails is named on the page, and the others go on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from paredown._report import page
from paredown._report.html import Html, tag
from paredown.study.index import is_index, read_index
from paredown.toml import read_toml

ROOT = Path(__file__).resolve().parents[1]
NOT_MET = 3  # a study whose limits no model met is a study


@dataclass(frozen=True)
class Built:
    """One study: its title, what it is about, its folder beside the page, and why there is no report."""

    title: str
    about: str
    folder: str
    failed: str = ""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="default: studies/short/*.toml")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "gallery")
    args = parser.parse_args()
    files = args.files or sorted((ROOT / "studies" / "short").glob("*.toml"))
    built = [build(file, args.out / file.stem) for file in files]
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "index.html").write_text(index_page(built), encoding="utf-8")
    for one in built:
        print(f"{one.title}: {one.failed or args.out / one.folder / 'report.html'}")
    print(args.out / "index.html")
    return int(any(one.failed for one in built))


def build(file: Path, out: Path) -> Built:
    """The study of a file, run or gone on with."""
    words = [sys.executable, "-m", "paredown", "study", str(file), "--out", str(out), "--resume", "--quiet"]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    failed = ""
    if done.returncode not in (0, NOT_MET) or not (out / "report.html").is_file():
        said = done.stderr.strip().splitlines()
        failed = said[-1] if said else f"it ended with {done.returncode} and left no report"
    if is_index(out):
        index = read_index(out)
        return Built(index.title, index.about, out.name, failed)
    title = read_toml(file, what="the study", error=ValueError).get("study", {}).get("title", file.stem)
    return Built(str(title), "", out.name, failed)


def index_page(built: list[Built]) -> Html:
    """A line for each study, with a link to its report."""
    lines = [
        tag(
            "li",
            tag("b", one.title) if one.failed else tag("a", one.title, href=f"{one.folder}/report.html"),
            f": {one.failed or one.about}" if one.failed or one.about else "",
        )
        for one in built
    ]
    body = tag("main", tag("h1", "Studies"), tag("ul", lines))
    return page.whole("studies", tag("body", page.top("studies"), body, page.closing()))


if __name__ == "__main__":
    sys.exit(main())
