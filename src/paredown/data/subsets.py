"""Parts of a data set: a sample, a split, the images of one in another, those that can be read."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from paredown.errors import DataError, ImageError, UsageError
from paredown.protocols import Progress, silent
from paredown.sample import Dataset, Sample


def sample(dataset: Dataset, n: int, seed: int = 0) -> Dataset:
    """`n` samples in their old order, drawn by a hash of seed and name; all of them where there are no more.

    The hash makes the draw the same everywhere, and nearly the same when images are added.
    """
    if n < 1:
        raise UsageError("a sample of no image", got=n, expected="at least 1")
    if n >= len(dataset):
        return dataset
    drawn = _draw(dataset, n, seed)
    return replace(dataset, samples=tuple(s for s in dataset if s.name in drawn))


def split_off(dataset: Dataset, n: int) -> tuple[Dataset, Dataset]:
    """Up to `n` samples to calibrate on (at most half), and the rest to judge on. No file is in both.

    Raises: DataError where there are fewer than two images.
    """
    n = min(n, len(dataset) // 2)
    if n < 1:
        raise DataError(
            f"{dataset.name} cannot be split",
            got=f"{len(dataset)} images",
            expected="at least 2 different images",
        )
    drawn = _draw(dataset, n, seed=0)
    calibration = tuple(s for s in dataset if s.name in drawn)
    seen = {s.digest() for s in calibration}
    others = [s for s in dataset if s.name not in drawn]
    rest = tuple(s for s in others if s.digest() not in seen)
    if not rest:
        raise DataError(
            f"{dataset.name} cannot be split", got="copies of the same images", expected="different images"
        )
    copies = len(others) - len(rest)
    left_out = (f"{copies} images left out: copies of calibration images",) if copies else ()
    return (
        replace(dataset, samples=calibration),
        replace(dataset, samples=rest, notes=(*dataset.notes, *left_out)),
    )


def without(dataset: Dataset, *others: Dataset) -> Dataset:
    """The samples whose file stands in none of the others."""
    known = {s.digest() for other in others for s in other}
    return replace(dataset, samples=tuple(s for s in dataset if s.digest() not in known))


def overlap(a: Dataset, b: Dataset) -> tuple[str, ...]:
    """Names in `b` whose file bytes also stand in `a`, in the order of `b`."""
    known = {s.digest() for s in a}
    return tuple(s.name for s in b if s.digest() in known)


def verify(dataset: Dataset, max_bad: int = 0, progress: Progress = silent) -> Dataset:
    """The data set without unreadable images, each decoded once; up to `max_bad` are dropped with a note.

    Raises: ImageError naming the files where there are more.
    """
    good: list[Sample] = []
    bad: list[ImageError] = []
    for one in progress(dataset, "reading images", len(dataset)):
        try:
            one.read()
        except ImageError as error:
            bad.append(error)
            if len(bad) > max_bad:
                raise _too_many(dataset, bad, max_bad) from error
        else:
            good.append(one)
    if not good:
        raise DataError(f"no image of {dataset.name} can be read", got=bad[0].what)
    notes = tuple(f"left out: {' '.join(str(error).split())}" for error in bad)
    return replace(dataset, samples=tuple(good), notes=(*dataset.notes, *notes)) if bad else dataset


def _too_many(dataset: Dataset, bad: list[ImageError], max_bad: int) -> ImageError:
    if max_bad == 0:
        return ImageError(bad[0].what, got=bad[0].got, expected=bad[0].expected, hint=bad[0].hint or _HINT)
    return ImageError(
        f"more than {max_bad} images of {dataset.name} cannot be read",
        got="; ".join(error.what for error in bad[:5]),
        hint="repair or remove them, or allow more with --max-bad",
    )


_HINT = "repair or remove it, or leave such images out with --max-bad N"


def _draw(dataset: Dataset, n: int, seed: int) -> frozenset[str]:
    order = sorted(
        (s.name for s in dataset),
        key=lambda name: hashlib.sha256(f"{seed}:{name}".encode(errors="surrogatepass")).digest(),
    )
    return frozenset(order[:n])
