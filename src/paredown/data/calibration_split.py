"""Which images a model is calibrated on and which it is judged on: not the same ones, unless asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from paredown.data.reading import training_split
from paredown.data.subsets import overlap, sample, split_off, verify
from paredown.errors import UsageError
from paredown.protocols import Progress, silent
from paredown.sample import Dataset


@dataclass(frozen=True)
class Images:
    """`how`: in one sentence, where the calibration images came from; `given`: what they were drawn from.

    learn_from: unlabelled images of anything to learn from as well, none of them judged on.
    """

    judged: Dataset
    calibration: Dataset
    how: str
    given: Dataset
    learn_from: Dataset | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.how, *self.judged.notes, *self.calibration.notes)))


def calibration_split(
    judged: Dataset,
    given: Dataset | None,
    *,
    count: int,
    judge: int = 0,
    seed: int,
    max_bad: int = 0,
    allow_overlap: bool = False,
    allow_outside: bool = False,
    progress: Progress = silent,
) -> Images:
    """`count` images to calibrate on, drawn from those given, or from the training split, or else split off.

    judge: how many of the others are judged on; 0 for all. The seed draws none of them, so that models of
    several seeds are judged alike. Every image is decoded once.

    Raises DataError where one cannot be read, UsageError where the same image stands in both sets.
    """
    rest, drawn_from, calibration, how = _pick(judged, given, count, seed, allow_outside)
    few = sample(rest, judge) if 0 < judge < len(rest) else rest
    if len(rest) < len(judged):  # split off
        how += f"; judged on {'the' if few is rest else f'{judge} of the'} other {len(rest)}"
    elif few is not rest:
        how += f"; judged on {share(few, rest)} of --data"
    judged = few
    (_, drawn_from), (judged, calibration) = (
        _with_shared_names(judged, part) for part in (drawn_from, calibration)
    )
    judged = verify(judged, max_bad, progress=progress)
    calibration = verify(calibration, max_bad, progress=progress)
    shared = overlap(judged, calibration)
    if shared and not allow_overlap:
        raise UsageError(
            f"{len(shared)} calibration images also stand among the images to judge on",
            got=", ".join(shared[:3]) + (", ..." if len(shared) > 3 else ""),
            expected="none: a model is judged too kindly on the images it was calibrated on",
            hint="leave --calib out to have --data split, or insist with --allow-overlap",
        )
    if shared:
        how += f"; {len(shared)} of them are also judged on, which was allowed"
    return Images(judged, calibration, how, drawn_from)


def _pick(
    judged: Dataset, given: Dataset | None, count: int, seed: int, allow_outside: bool
) -> tuple[Dataset, Dataset, Dataset, str]:
    """What to judge on, what calibration images may be drawn from, those drawn, and how."""
    if given is not None:
        chosen = sample(given, count, seed)
        return judged, given, chosen, f"calibrated on {share(chosen, given)} of --calib"
    training = training_split(judged, allow_outside=allow_outside)
    if training is not None:
        chosen = sample(training, count, seed)
        how = f"calibrated on {share(chosen, training)} of the split {training.split!r}"
        return judged, training, chosen, how
    calibration, rest = split_off(judged, count)
    return rest, calibration, calibration, f"calibrated on {len(calibration)} images split off --data"


def _with_shared_names(a: Dataset, b: Dataset) -> tuple[Dataset, Dataset]:
    """Both with the class names of both, where each names a part of the same numbering.

    Lists of files with class indices name only the classes they hold, and spell the others as numbers.
    """

    def name(classes: tuple[str, ...], i: int) -> str:
        return classes[i] if i < len(classes) else str(i)

    pairs = [(name(a.classes, i), name(b.classes, i)) for i in range(max(len(a.classes), len(b.classes)))]
    if a.classes == b.classes or any(x != y and str(i) not in (x, y) for i, (x, y) in enumerate(pairs)):
        return a, b
    both = tuple(y if x == str(i) else x for i, (x, y) in enumerate(pairs))
    return replace(a, classes=both if a.classes else ()), replace(b, classes=both if b.classes else ())


def share(part: Dataset, whole: Dataset) -> str:
    """ "all 80 images", or "100 of the 206 images"."""
    return (
        f"all {len(whole)} images" if len(part) == len(whole) else f"{len(part)} of the {len(whole)} images"
    )
