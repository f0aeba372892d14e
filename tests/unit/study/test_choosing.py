"""Images to choose on: those that calibrate nothing, unless they are too few."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paredown.sample import Dataset, Sample
from paredown.study.choosing import FEWEST, MOST, choosing_images


def pictures(*numbers: int) -> Dataset:
    def grey() -> np.ndarray:
        return np.zeros((8, 8, 3), np.uint8)

    samples = tuple(Sample(f"{i}.png", grey, lambda i=i: f"digest {i}") for i in numbers)
    return Dataset("made", "plain", ".", (), samples)


def names(images: Dataset) -> set[str]:
    return {s.name for s in images}


def test_what_calibrates_and_what_is_judged_on_in_the_end_is_left_out() -> None:
    given, calibration, judged = pictures(*range(200)), pictures(*range(100)), pictures(100, 101)
    chosen = choosing_images(given, calibration, judged)
    assert names(chosen.images) == {f"{i}.png" for i in range(102, 200)}
    assert chosen.words == "98 images that calibrated nothing"


def test_copies_under_another_name_are_left_out() -> None:
    given, calibration = pictures(*range(100)), pictures(*range(10))
    renamed = replace(calibration, samples=tuple(replace(s, name=f"copy-{s.name}") for s in calibration))
    assert len(choosing_images(given, renamed).images) == 90


def test_few_are_eked_out_with_those_calibrated_on() -> None:
    given, calibration = pictures(*range(FEWEST + 5)), pictures(*range(20))
    chosen = choosing_images(given, calibration)
    assert len(chosen.images) == FEWEST + 5
    assert chosen.words == f"{FEWEST + 5} images, 20 of them also calibrated on"
    assert choosing_images(calibration, calibration).words == "20 images, 20 of them also calibrated on"


def test_no_more_than_tell_something() -> None:
    chosen = choosing_images(pictures(*range(MOST + 100)), pictures(0))
    assert len(chosen.images) == MOST
