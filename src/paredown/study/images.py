"""The images of a study, by path or as data sets: judged on, calibrated on, learned from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from paredown import data, demo
from paredown._compress.recipe import Recipe
from paredown.data.calibration_split import Images, calibration_split
from paredown.errors import DataError, UnknownName, UsageError
from paredown.protocols import Progress, silent
from paredown.sample import Dataset
from paredown.study.options import Options

Source = str | Path | Dataset

MOST_FURTHER = 2000  # more hardly show anything new, and all are decoded


def choose_images(
    judge: Source, calib: Source | None, options: Options, progress: Progress = silent
) -> Images:
    """The images of a study: judged on, calibrated on, learned from.

    Raises DataError where one cannot be read, UsageError where the same image stands in both sets.
    """
    chosen = calibration_split(
        _read(judge, options),
        None if calib is None else _read(calib, options),
        count=options.calibration_images,
        judge=options.evaluation_images,
        seed=options.seed,
        max_bad=options.max_bad,
        allow_overlap=options.allow_overlap,
        allow_outside=options.allow_outside,
        progress=progress,
    )
    return replace(chosen, learn_from=_unlabelled(options, chosen.judged, progress))


def _unlabelled(options: Options, judged: Dataset, progress: Progress) -> Dataset | None:
    if options.learn_from is None:
        return None
    given = read_images(options.learn_from, allow_outside=options.allow_outside)
    return unlabelled_images(given, options.max_bad, progress, judged)


def check_learns(recipes: Collection[Recipe]) -> None:
    """Raises UsageError where none of the recipes could use unlabelled images."""
    if not any(recipe.learns for recipe in recipes):
        raise UsageError(
            "no step of these recipes learns, so --learn-from has no use",
            got=", ".join(recipe.name for recipe in recipes),
            expected="a recipe with `distill`, `qat`, `sparse...-surgery` or `cluster-gptq...`",
            hint="leave --learn-from out",
        )


def unlabelled_images(
    given: Dataset, max_bad: int, progress: Progress = silent, judged: Dataset | None = None
) -> Dataset:
    """Images of anything to learn from, each decoded once, none of them judged on; some where there are many.

    Raises: DataError where none is left.
    """
    drawn = data.sample(given, MOST_FURTHER)
    rest = drawn if judged is None else data.without(drawn, judged)
    if not len(rest):
        raise DataError(
            "no image to learn from", got=f"{len(drawn)} images that are judged on", expected="others"
        )
    return data.verify(rest, max_bad, progress)


def read_images(spec: str, *, split: str | None = None, allow_outside: bool = False) -> Dataset:
    """The data set at a path; or of the demo: "demo:evaluation:120" gives 120 drawn scenes."""
    words = spec.split(":")
    if words[0] != "demo":
        return data.read_dataset(spec, split=split, allow_outside=allow_outside)
    sets = {"evaluation": demo.evaluation_set, "calibration": demo.calibration_set}
    if len(words) != 3 or not words[2].isdecimal() or int(words[2]) < 1:
        raise UsageError(
            f"no scenes of the demo: {spec!r}", expected="demo:evaluation:N or demo:calibration:N"
        )
    if words[1] not in sets:
        raise UnknownName("set of the demo", words[1], sets)
    return sets[words[1]](int(words[2]))


def _read(source: Source, options: Options) -> Dataset:
    if isinstance(source, Dataset):
        return source
    return read_images(str(source), allow_outside=options.allow_outside)
