"""Whatever a trial is made of, judged on or timed on pickles plainly: it may travel to another process."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from paredown import data, demo, errors
from paredown._compress.presets import PRESETS, parse_recipe
from paredown.errors import MissingDependency, ParedownError, UnknownName
from paredown.hosts import open_host
from paredown.sample import Dataset
from paredown.targets import devices, target


def travelled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def same(a: Dataset, b: Dataset) -> None:
    assert (a.name, a.format, a.root, a.classes, a.split) == (b.name, b.format, b.root, b.classes, b.split)
    assert len(a) == len(b) > 0
    for one, other in zip(a, b, strict=True):
        assert one.name == other.name
        assert one.digest() == other.digest()
        np.testing.assert_array_equal(one.read(), other.read())
        assert repr(one.truth) == repr(other.truth)


def pictures(folder: Path) -> None:
    for name in ("cat/a.png", "cat/b.png", "dog/c.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(len(name)).integers(0, 255, (6, 5, 3), dtype=np.uint8)
        assert cv2.imwrite(str(folder / name), pixels)


def test_data_sets_travel(tmp_path: Path) -> None:
    pictures(tmp_path / "folders")
    shutil.make_archive(str(tmp_path / "zipped"), "zip", tmp_path / "folders")
    for path in ("folders", "zipped.zip"):
        found = data.read_dataset(str(tmp_path / path))
        same(found, travelled(found))
        same(data.sample(found, 2), travelled(data.sample(found, 2)))
    drawn = demo.evaluation_set(2)
    same(drawn, travelled(drawn))
    arrays = data.from_arrays([np.zeros((2, 3, 3), np.uint8), np.ones((4, 5, 3), np.uint8)], [0, 1])
    same(arrays, travelled(arrays))


def test_a_zip_that_was_sent_reads_from_its_own_file_handle(tmp_path: Path) -> None:
    pictures(tmp_path / "folders")
    shutil.make_archive(str(tmp_path / "zipped"), "zip", tmp_path / "folders")
    sent = travelled(data.read_dataset(str(tmp_path / "zipped.zip")))
    handles = {id(sample.read.args[0].func.__self__) for sample in sent}
    assert len(handles) == 1  # opened once, not once for each image
    (tmp_path / "zipped.zip").unlink()
    sent[0].read()


@pytest.mark.parametrize("name", PRESETS)
def test_recipes_travel(name: str) -> None:
    recipe = parse_recipe(name)
    assert travelled(recipe) == recipe


def test_targets_travel() -> None:
    for name in devices(open_host().facts()):
        assert travelled(target(name)) == target(name)


@pytest.mark.parametrize(
    "error",
    [
        ParedownError("a", got=1, expected="b", hint="c"),
        UnknownName("recipe", "int88", ["int8", "int4"]),
        MissingDependency("torch", "train", "learning"),
    ],
)
def test_errors_travel(error: ParedownError) -> None:
    other = travelled(error)
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert vars(other) == vars(error)


def test_every_error_of_the_tree_travels() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, ParedownError)]
    assert len(kinds) > 10
    for kind in kinds:
        if kind in (UnknownName, MissingDependency):
            continue
        assert vars(travelled(kind("what", hint="how"))) == vars(kind("what", hint="how"))
