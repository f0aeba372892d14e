"""`paredown check`: a data set looked over before it is used."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from paredown.cli import parser as shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paredown.data.survey import Survey
    from paredown.sample import Dataset

EXAMPLE = "paredown check coco_eval/ --calib coco_calib/"
SHOWN = 12  # classes in the table; and names in a finding: 3
FEW = 10  # true boxes of a class below which its figure is chance


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", help="the images to judge on, as for --data")
    shared.add_calib(parser)
    shared.add_reading(parser)
    shared.add_output(parser)


def main(args: argparse.Namespace) -> int:
    from paredown import api
    from paredown.cli import console
    from paredown.data.survey import survey

    voice = console.Voice(args.quiet)

    def look(path: str) -> tuple[Dataset, Survey]:
        images = api.read_dataset(
            path, max_bad=args.max_bad, allow_outside=args.allow_outside, progress=voice.progress
        )
        return images, survey(images, voice.progress)

    images, found = look(args.data)
    calib = None if args.calib is None else look(args.calib)
    findings = [*images.notes, *_findings(images, found)]
    if calib is not None:
        findings += [*(f"calibration: {note}" for note in calib[0].notes), *_shared(calib[1], found)]
    if args.json:
        console.show_json(_values(images, found, findings))
    else:
        _show(images, found, findings)
    return 0


def _findings(images: Dataset, found: Survey) -> list[str]:
    """What may mislead a figure, one sentence each, the worst first."""
    few = [f"{name} ({n})" for name, n in found.counts.items() if n < FEW]
    lines = [
        _named("image is in the set twice or more", "images are in the set twice or more", found.copies),
        _named("pair of images looks the same", "pairs of images look the same", found.near),
        _named("image has no label and is not judged on", "images have no label and are not judged on",
               found.unlabelled),
        _named("image has two boxes of a class on one object", "images have two boxes of a class on one "
               "object", found.doubled),
        _named("image has a box thinner than 2 pixels", "images have a box thinner than 2 pixels",
               found.thin),
        _named("image holds nothing to find, so that only false alarms count there",
               "images hold nothing to find, so that only false alarms count there", found.empty),
        _named(f"class has fewer than {FEW} examples, so that its figure is chance",
               f"classes have fewer than {FEW} examples, so that their figures are chance", few),
        _named("class has no example", "classes have no example", found.unused),
    ]  # fmt: skip
    return [line for line in lines if line] if images.has_truth else [line for line in lines[:2] if line]


def _shared(calib: Survey, judged: Survey) -> list[str]:
    """Images that stand in both sets: a model is judged too kindly on those."""
    from paredown.data.survey import shared as both

    copies, near = both(calib, judged)
    lines = [
        _named("calibration image is also judged on", "calibration images are also judged on", copies),
        _named("calibration image looks like one that is judged on", "calibration images look like ones that "
               "are judged on", near),
    ]  # fmt: skip
    return [line for line in lines if line]


def _named(one: str, several: str, names: Sequence[str | tuple[str, str]]) -> str:
    """ "3 images hold ...: a.jpg, b.jpg, c.jpg"; "" where there are none."""
    if not names:
        return ""
    shown = [name if isinstance(name, str) else " = ".join(name) for name in names[:3]]
    more = ", ..." if len(names) > 3 else ""
    return f"{len(names)} {one if len(names) == 1 else several}: {', '.join(shown)}{more}"


def _show(images: Dataset, found: Survey, findings: Sequence[str]) -> None:
    from paredown.cli import console

    out = console.stdout()
    (w0, w1), (h0, h1) = found.pixels
    facts = [
        ("format", images.format),
        ("images", f"{found.images:,}"),
        ("width, height", f"{w0} to {w1}, {h0} to {h1} pixels"),
        ("truth", images.task or "none"),
    ]
    if found.counts:
        facts.append(("labels", f"{sum(found.counts.values()):,} of {len(found.counts)} classes"))
    if found.sizes:
        facts.append(("sizes", ", ".join(f"{n:,} {size}" for size, n in found.sizes.items())))
    out.print(console.table(("what", "found"), facts))
    if found.counts:
        top = sorted(found.counts.items(), key=lambda pair: -pair[1])
        rows = [(name, f"{n:,}") for name, n in top[:SHOWN]]
        rest = top[SHOWN:]
        rows += [(f"{len(rest)} more", f"{sum(n for _, n in rest):,}")] if rest else []
        out.print()
        out.print(console.table(("class", "labels"), rows, numbers=("labels",)))
    out.print()
    for line in findings:
        out.print(f"- {line}", markup=False, soft_wrap=True)
    if not findings:
        out.print("Nothing that would mislead a figure was found.")


def _values(images: Dataset, found: Survey, findings: Sequence[str]) -> dict[str, object]:
    from dataclasses import asdict

    kept = {name: value for name, value in asdict(found).items() if name not in ("prints", "digests")}
    return {"format": images.format, "task": images.task, **kept, "findings": list(findings)}
