"""Which images calibrate and which judge; what models said comes back from the disk as it was."""

import numpy as np
import pytest

import toys
from paredown.detections import ClassScores, Detections
from paredown.errors import DataError, StorageError, UsageError
from paredown.study.images import choose_images, read_images
from paredown.study.options import Options
from paredown.study.predictions import load_predictions, save_predictions


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    return {name: str(toys.write_images(root / name, 6, seed)) for name, seed in (("a", 1), ("b", 2))}


def test_given_calibration_images_are_sampled(folders):
    chosen = choose_images(folders["a"], folders["b"], Options(calibration_images=4))
    assert (len(chosen.judged), len(chosen.calibration)) == (6, 4)
    assert chosen.how == "calibrated on 4 of the 6 images of --calib"
    assert chosen.notes == (chosen.how,)  # said once


def test_without_any_the_data_is_split_always_the_same(folders):
    first, second = (choose_images(folders["a"], None, Options()) for _ in range(2))
    names = [s.name for s in first.calibration]
    assert names == [s.name for s in second.calibration]
    assert not {*names} & {s.name for s in first.judged}
    assert first.how == "calibrated on 3 images split off --data; judged on the other 3"
    assert first.notes == (first.how,)


def test_few_are_judged_on_where_that_was_asked_and_always_the_same(folders):
    chosen = [choose_images(folders["a"], folders["b"], Options(evaluation_images=2, seed=s)) for s in (0, 1)]
    assert [len(c.judged) for c in chosen] == [2, 2]
    assert [s.name for s in chosen[0].judged] == [s.name for s in chosen[1].judged]
    assert chosen[0].how.endswith("; judged on 2 of the 6 images of --data")
    split = choose_images(folders["a"], None, Options(evaluation_images=2))
    assert (len(split.judged), len(split.calibration)) == (2, 3)
    assert split.how == "calibrated on 3 images split off --data; judged on 2 of the other 3"
    assert len(choose_images(folders["a"], folders["b"], Options(evaluation_images=99)).judged) == 6


def test_images_in_both_are_refused_unless_allowed(folders):
    with pytest.raises(UsageError, match="6 calibration images"):
        choose_images(folders["a"], folders["a"], Options())
    allowed = choose_images(folders["a"], folders["a"], Options(allow_overlap=True))
    assert "which was allowed" in allowed.how


def test_unlabelled_images_are_never_those_judged_on(folders, tmp_path):
    both = toys.write_images(tmp_path / "both", 6, 1)
    for i, file in enumerate(sorted(toys.write_images(tmp_path / "more", 3, 5).iterdir())):
        file.rename(both / f"more-{i}.png")
    chosen = choose_images(folders["a"], folders["b"], Options(learn_from=str(both)))
    assert {s.name for s in chosen.learn_from} == {f"more-{i}.png" for i in range(3)}
    assert choose_images(folders["a"], folders["b"], Options()).learn_from is None
    with pytest.raises(DataError, match="no image to learn from"):
        choose_images(folders["a"], folders["b"], Options(learn_from=folders["a"]))


def test_one_image_cannot_do_both(tmp_path):
    with pytest.raises(DataError, match="cannot be split"):
        choose_images(str(toys.write_images(tmp_path / "one", 1)), None, Options())


def test_lists_that_name_parts_of_one_numbering_share_their_names(tmp_path):
    toys.write_images(tmp_path, 4)
    for name, rows in (("a", "000.png,1,cat\n001.png,1,cat"), ("b", "002.png,3,dog\n003.png,1,cat")):
        (tmp_path / f"{name}.csv").write_text(f"file,class_index,name\n{rows}\n")
    chosen = choose_images(str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), Options())
    assert chosen.judged.classes == chosen.calibration.classes == ("0", "cat", "2", "dog")


def test_scenes_of_the_demo_have_a_name():
    scenes = read_images("demo:evaluation:2")
    assert len(scenes) == 2
    assert scenes.has_truth
    for wrong in ("demo:", "demo:evaluation:0", "demo:evaluation:x"):
        with pytest.raises(UsageError):
            read_images(wrong)


def detections(n):
    rng = np.random.default_rng(n)
    classes = rng.integers(0, 3, n)
    return Detections(rng.random((n, 4), np.float32), rng.random(n, np.float32), classes.astype(np.int64))


def test_predictions_come_back_as_they_were(tmp_path):
    path = tmp_path / "p" / "x.npz"
    said = [detections(n) for n in (3, 0, 5)]
    save_predictions(path, said, "detect")
    for one, other in zip(load_predictions(path, 3, "detect"), said, strict=True):
        for name in ("boxes", "scores", "classes"):
            found, expected = getattr(one, name), getattr(other, name)
            assert found.dtype == expected.dtype
            assert np.array_equal(found, expected)
    assert load_predictions(path, 4, "detect") is None
    scores = [ClassScores(np.arange(4, dtype=np.float32) + i) for i in range(2)]
    save_predictions(path, scores, "classify")
    assert np.array_equal(load_predictions(path, 2, "classify")[1].scores, scores[1].scores)


def test_damaged_predictions_are_named(tmp_path):
    path = tmp_path / "x.npz"
    assert load_predictions(path, 3, "detect") is None
    path.write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(StorageError, match=r"x\.npz is damaged"):
        load_predictions(path, 3, "detect")
