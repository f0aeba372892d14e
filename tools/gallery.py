"""Builds the reports of the studies in studies/short (or of the files named) and a page that leads to them.

    python tools/gallery.py [--out build/gallery] [--minutes N] [FILE ...]
    make gallery [MINUTES=N]

Models and images are looked for where PAREDOWN_MATERIAL points; without it, the embedded detector is all that
there is. --minutes: a study that takes longer is stopped, and its report is of what is finished. Each goes on
where an earlier call left it. What a study could not try (a model that is not at hand) is said in its own
report; a study that fails is named on the page, and the others go on. Ctrl-C ends with the page of what there
is.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paredown._report import page
from paredown._report.html import Html, tag
from paredown.study.index import is_index, read_index
from paredown.toml import read_toml

ROOT = Path(__file__).resolve().parents[1]
NOT_MET = 3  # a study whose limits no model met is a study
TO_STOP_S = 60.0  # what a study may take to end once it is told to


@dataclass(frozen=True)
class Built:
    """One study. folder: of its report, beside the page. failed: why there is none. lacks: what it lacks."""

    title: str
    about: str
    folder: str
    failed: str = ""
    lacks: str = ""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="default: studies/short/*.toml")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "gallery")
    parser.add_argument("--minutes", type=float, help="for each study; default: as long as it takes")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    built: list[Built] = []
    try:
        for file in args.files or sorted((ROOT / "studies" / "short").glob("*.toml")):
            print(f"{file} ...", flush=True)
            begun = time.monotonic()
            one = build(file, args.out / file.stem, None if args.minutes is None else 60 * args.minutes)
            built.append(one)
            said = one.failed or f"{args.out / one.folder / 'report.html'}{one.lacks and f' ({one.lacks})'}"
            print(f"  {said}, after {time.monotonic() - begun:.0f} s", flush=True)
    finally:
        (args.out / "index.html").write_text(index_page(built), encoding="utf-8")
        print(args.out / "index.html")
    return int(any(one.failed for one in built))


def build(file: Path, out: Path, most_s: float | None) -> Built:
    """The study of a file, run or gone on with, at most so many seconds."""
    code, said = call(["study", str(file), "--out", str(out), "--resume", "--quiet"], most_s)
    failed, lacks = "", ""
    if code is None:
        lacks = "it was stopped, and goes on when this is called again"
        code, said = call(["report", str(out)], None) if is_index(out) else (1, [lacks])
    if code not in (0, NOT_MET) or not (out / "report.html").is_file():
        failed = said[-1] if said else f"it ended with {code} and left no report"
    if is_index(out):
        index = read_index(out)
        return Built(index.title, index.about, out.name, failed, lacks)
    title = read_toml(file, what="the study", error=ValueError).get("study", {}).get("title", file.stem)
    return Built(str(title), "", out.name, failed, lacks)


def call(words: Sequence[str], most_s: float | None) -> tuple[int | None, list[str]]:
    """The exit code of a paredown command, None where it was stopped after so long; its lines on stderr."""
    command = [sys.executable, "-m", "paredown", *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = process.communicate(timeout=most_s)[1]
        except subprocess.TimeoutExpired:
            process.terminate()
            return None, process.communicate(timeout=TO_STOP_S)[1].strip().splitlines()
        except KeyboardInterrupt:  # it reached the study, too, which keeps what is finished
            process.communicate(timeout=TO_STOP_S)
            raise
    return process.returncode, said.strip().splitlines()


def index_page(built: list[Built]) -> Html:
    """A line for each study, with a link to its report."""
    lines = []
    for one in built:
        name = tag("b", one.title) if one.failed else tag("a", one.title, href=f"{one.folder}/report.html")
        words = one.failed or " ".join(filter(None, [one.about, one.lacks and f"({one.lacks})"]))
        lines.append(tag("li", name, f": {words}" if words else ""))
    body = tag("main", tag("h1", "Studies"), tag("ul", lines))
    return page.whole("studies", tag("body", page.top("studies"), body, page.closing()))


if __name__ == "__main__":
    sys.exit(main())
