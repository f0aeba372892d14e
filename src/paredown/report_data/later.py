"""Two models of a study compared after it has ended: from what it kept, without models and without images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from paredown._measure.compare import Comparison, compare_evidence
from paredown.analyze.against_float import FLOAT
from paredown.analyze.kept import Kept
from paredown.errors import UnknownName, UsageError
from paredown.measurement import Trial
from paredown.metrics.tally import Evidence
from paredown.study.evidence import read_evidence
from paredown.study.index import is_index, read_index, read_parts
from paredown.study.store import read_trials, require_study

MOST = 6  # images named


@dataclass(frozen=True)
class Later:
    """What two models of a study come to beside each other.

    differing: (image, how right a is on it, how right b is), where they differ most first.
    """

    a: str
    b: str
    statistics: Comparison
    differing: tuple[tuple[str, float, float], ...]


def compare_later(directory: Path, a: str, b: str) -> Later:
    """How the trial of the label b differs from that of a, on the images that the study judged on.

    Of a study of several models a label is "PART LABEL", as its page names candidates; "float" alone for a is
    the float model of b's part.

    Raises: UnknownName for a label of no trial, UsageError where nothing was kept of one, or the two were
    not judged on the same images and by the truth, StorageError.
    """
    trials = _named(directory)
    two, second = _kept(trials, b)
    if a == FLOAT and a not in trials:
        a = next(name for name, (part, t) in trials.items() if part == trials[b][0] and t.recipe == FLOAT)
    one, first = _kept(trials, a)
    if one.against != "truth":
        raise UsageError(
            "these models were held against the float model's answers: there is no truth to compare them by",
            hint="`paredown report` shows how far each agrees with the float model",
        )
    if one.same != two.same:
        raise UsageError(
            f"{a} and {b} were not judged on the same images",
            hint="run the study again: what is missing is judged anew" if one.images == two.images else None,
        )
    statistics = compare_evidence(first, second, one.task, range(one.n_images))
    return Later(a, b, statistics, _differing(one, two))


def _named(directory: Path) -> dict[str, tuple[Path, Trial]]:
    """Every trial and the directory that it stands in, by its label, and by its key where no label is so."""
    require_study(directory)
    if not is_index(directory):
        return _by_name(directory, read_trials(directory), "")
    found: dict[str, tuple[Path, Trial]] = {}
    index = read_index(directory)
    for label, trials in read_parts(directory, index).items():
        folder = next(directory / e.folder for e in index.entries if e.label == label)
        found |= _by_name(folder, trials, f"{label} ")
    return found


def _by_name(directory: Path, trials: Sequence[Trial], before: str) -> dict[str, tuple[Path, Trial]]:
    by_key = {before + t.key: (directory, t) for t in trials}
    return by_key | {before + t.label: (directory, t) for t in trials}


def _kept(trials: Mapping[str, tuple[Path, Trial]], label: str) -> tuple[Kept, Evidence]:
    if label not in trials:
        known = [name for name, (_, t) in trials.items() if name.endswith(t.label)]
        raise UnknownName("trial of this study", label, known)
    directory, trial = trials[label]
    found = read_evidence(directory, trial.label)
    if found is None:
        raise UsageError(
            f"nothing was kept of {label} to compare by",
            got="a study of an older version, or one that has not ended",
            hint="run it again: it goes on, and keeps what is missing",
        )
    return found


def _differing(a: Kept, b: Kept) -> tuple[tuple[str, float, float], ...]:
    """The images on which one is right and the other is not, an image that tells nothing left out."""
    gaps = np.nan_to_num(abs(b.scores - a.scores))
    order = np.argsort(-gaps, kind="stable")[:MOST]
    return tuple((a.images[i], float(a.scores[i]), float(b.scores[i])) for i in order if gaps[i] > 0)
