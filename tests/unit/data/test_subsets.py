from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paredown import data
from paredown.errors import DataError, ImageError, UsageError
from paredown.sample import Dataset


def numbered(n: int, same: int = 0) -> Dataset:
    """`n` different images, then `same` copies of the first."""
    images = [np.full((2, 2, 3), i, np.uint8) for i in range(n)]
    return data.from_arrays(images + images[:1] * same)


def names(dataset: Dataset) -> list[str]:
    return [s.name for s in dataset]


def test_sample_is_deterministic_and_ordered() -> None:
    whole = numbered(50)
    a, b = data.sample(whole, 10), data.sample(whole, 10)
    assert names(a) == names(b) == sorted(names(a))
    assert len(a) == 10
    assert names(a) != names(data.sample(whole, 10, seed=1))
    assert a.notes == whole.notes  # who draws says so: `Images.how`
    assert set(names(data.sample(whole, 5))) < set(names(a))
    assert data.sample(whole, 50) is whole
    assert len(whole) == 50


def test_sample_of_nothing_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        data.sample(numbered(3), 0)


@pytest.mark.parametrize(("n", "calibration"), [(100, 10), (4, 4), (1, 1)])
def test_split_off_takes_at_most_half(n: int, calibration: int) -> None:
    whole = numbered(20)
    calib, rest = data.split_off(whole, n)
    assert (len(calib), len(rest)) == (calibration, 20 - calibration)
    assert not set(names(calib)) & set(names(rest))
    assert data.overlap(calib, rest) == ()
    assert names(data.split_off(whole, n)[0]) == names(calib)


def test_split_off_never_puts_one_file_in_both() -> None:
    calib, rest = data.split_off(numbered(3, same=20), 8)
    assert data.overlap(calib, rest) == ()
    assert "copies" in rest.notes[-1]


@pytest.mark.parametrize("dataset", [numbered(1), numbered(1, same=5)])
def test_split_off_needs_two_different_images(dataset: Dataset) -> None:
    with pytest.raises(DataError, match="cannot be split"):
        data.split_off(dataset, 10)


def test_overlap_names_images_of_the_second() -> None:
    a, b = numbered(3), data.from_arrays([np.full((2, 2, 3), i, np.uint8) for i in (9, 2, 8, 0)])
    assert data.overlap(a, b) == ("1", "3")


@pytest.fixture
def with_bad(tmp_path: Path, write_image) -> Dataset:
    for i in range(3):
        write_image(tmp_path / f"{i}.png", seed=i)
    (tmp_path / "bad1.png").write_bytes(b"")
    (tmp_path / "bad2.jpg").write_bytes(b"nothing")
    return data.read_dataset(str(tmp_path))


def test_verify_stops_at_the_first_bad_image_naming_it(with_bad: Dataset) -> None:
    with pytest.raises(ImageError, match=r"bad1\.png[\s\S]*--max-bad"):
        data.verify(with_bad)
    with pytest.raises(ImageError, match=r"more than 1[\s\S]*bad1\.png[\s\S]*bad2\.jpg"):
        data.verify(with_bad, max_bad=1)


def test_verify_drops_up_to_max_bad_with_notes(with_bad: Dataset) -> None:
    seen = []

    def progress(items, what, total=None):
        seen.append((what, total))
        return items

    good = data.verify(with_bad, max_bad=2, progress=progress)
    assert names(good) == ["0.png", "1.png", "2.png"]
    assert len(good.notes) == 2
    assert seen == [("reading images", 5)]
    assert data.verify(good) is good


def test_verify_of_only_bad_images_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(DataError, match="no image of"):
        data.verify(data.read_dataset(str(tmp_path)), max_bad=5)
