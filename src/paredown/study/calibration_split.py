"""Which images a study calibrates on and which it judges on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from paredown import data, demo
from paredown._compress.recipe import Recipe
from paredown.errors import DataError, UnknownName, UsageError
from paredown.protocols import Progress, silent
from paredown.sample import Dataset
from paredown.study.options import Options

Source = str | Path | Dataset

MOST_FURTHER = 2000  # more hardly show anything new, and all are decoded


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


def choose_images(
    judge: Source, calib: Source | None, options: Options, progress: Progress = silent
) -> Images:
    """The images of a study, every one of them decoded once.

    Raises DataError where one cannot be read, UsageError where the same image stands in both sets.
    """
    judged, given, calibration, how = _pick(_read(judge, options), calib, options)
    (_, given), (judged, calibration) = (_with_shared_names(judged, part) for part in (given, calibration))
    judged = data.verify(judged, options.max_bad, progress=progress)
    calibration = data.verify(calibration, options.max_bad, progress=progress)
    shared = data.overlap(judged, calibration)
    if shared and not options.allow_overlap:
        raise UsageError(
            f"{len(shared)} calibration images also stand among the images to judge on",
            got=", ".join(shared[:3]) + (", ..." if len(shared) > 3 else ""),
            expected="none: a model is judged too kindly on the images it was calibrated on",
            hint="leave --calib out to have --data split, or insist with --allow-overlap",
        )
    if shared:
        how += f"; {len(shared)} of them are also judged on, which was allowed"
    return Images(judged, calibration, how, given, _unlabelled(options, judged, progress))


def _pick(judged: Dataset, calib: Source | None, options: Options) -> tuple[Dataset, Dataset, Dataset, str]:
    """What to judge on, what calibration images may be drawn from, those drawn, and how."""
    wanted, seed = options.calibration_images, options.seed
    if calib is not None:
        given = _read(calib, options)
        chosen = data.sample(given, wanted, seed)
        return judged, given, chosen, f"calibrated on {_share(chosen, given)} of --calib"
    training = data.training_split(judged, allow_outside=options.allow_outside)
    if training is not None:
        chosen = data.sample(training, wanted, seed)
        how = f"calibrated on {_share(chosen, training)} of the split {training.split!r}"
        return judged, training, chosen, how
    calibration, rest = data.split_off(judged, wanted)
    how = f"calibrated on {len(calibration)} images split off --data; the other {len(rest)} are judged on"
    return rest, calibration, calibration, how


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


def _share(part: Dataset, whole: Dataset) -> str:
    return (
        f"all {len(whole)} images" if len(part) == len(whole) else f"{len(part)} of the {len(whole)} images"
    )


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
