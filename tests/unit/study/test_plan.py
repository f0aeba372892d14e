"""A study of several models as a file asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from paredown.errors import UnknownName, UsageError
from paredown.study.plan import rooted
from paredown.study.plan_file import parse_plan, plan_text, read_plan
from paredown.toml import parse_toml

TEXT = """
[study]
data = "data/eval"
calib = "data/calib"
models = ["models/a.onnx"]
recipes = ["int8", "int8-weights"]
trials = 2
seed = 42

[limits]
max_drop = 0.5

[options]
calibration_images = 30

[[models]]
model = "models/b.onnx"
label = "bee"
data = "coco:data/b"
recipes = ["int8"]
family = "yolov8"

[[places]]
label = "here"

[[places]]
label = "pi"
target = "raspberry-pi-5"
host = "ssh:pi@board"

[[published]]
source = "a table"
board = "a board"

[[published.figures]]
of = "Bee, INT8"
model = "bee"
recipe = "int8"
values = {map50 = 0.374, latency_s = 0.007}
"""


def test_the_first_place_and_seed_leave_no_mark_on_a_label() -> None:
    plan = parse_plan(parse_toml(TEXT))
    assert [part.label for part in plan.parts()] == [
        *("a", "bee", "a@pi", "bee@pi"),
        *("a-seed43", "bee-seed43", "a@pi-seed43", "bee@pi-seed43"),
    ]


def test_what_a_model_says_itself_goes_before_the_study() -> None:
    plan = parse_plan(parse_toml(TEXT))
    parts = {part.label: part for part in plan.parts()}
    own, shared = plan.asked(parts["bee@pi-seed43"], "../m"), plan.asked(parts["a"], "../m")
    assert (own.data, own.calib, own.model) == ("coco:../m/data/b", "../m/data/calib", "../m/models/b.onnx")
    assert (own.options.recipes, shared.options.recipes) == (("int8",), ("int8", "int8-weights"))
    assert (own.options.seed, own.options.host, own.options.family) == (43, "ssh:pi@board", "yolov8")
    assert (shared.options.seed, shared.options.host, shared.options.calibration_images) == (42, "local", 30)
    assert own.limits.max_drop == 0.5


def test_a_plan_is_written_as_it_reads() -> None:
    plan = parse_plan(parse_toml(TEXT))
    again = parse_plan(parse_toml(plan_text(plan)))
    assert again.parts() == plan.parts()
    assert again.published == plan.published
    assert [again.asked(p) for p in again.parts()] == [plan.asked(p) for p in plan.parts()]


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("trials = 2", "trails = 2", "'trials'"),
        ('family = "yolov8"', 'famliy = "yolov8"', "'family'"),
        ("calibration_images", "calibration_image", "'calibration_images'"),
        ("max_drop", "max_dorp", "'max_drop'"),
        ("[[places]]", "[[place]]", "'places'"),
        ("map50 =", "map_50 =", "'map50'"),
        ('model = "bee"', 'model = "be"', "'bee'"),
    ],
)
def test_a_key_that_is_not_known_is_an_error_with_a_guess(old: str, new: str, hint: str) -> None:
    with pytest.raises(UnknownName) as told:
        parse_plan(parse_toml(TEXT.replace(old, new)))
    assert hint in str(told.value.hint)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('label = "bee"', 'label = "A"', "two models are called"),
        ('label = "bee"', 'label = "../bee"', "names a folder"),
        ('models = ["models/a.onnx"]', 'models = ["models/a.onnx", "bee-seed43.onnx"]', "two parts"),
        ("trials = 2", "trials = 0", "one trial or more"),
        ("calibration_images = 30", "search = 3", "tries everything"),
        ("calibration_images = 30", "seed = 3", r"said in \[study\]"),
        ("seed = 42", 'seed = 42\nhosts = ["local"]', "named twice"),
        ('data = "data/eval"', "", "no data to judge a on"),
    ],
)
def test_what_a_study_cannot_be_is_refused(old: str, new: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_plan(parse_toml(TEXT.replace(old, new))).parts()


def test_paths_start_at_the_root_and_keep_their_format(tmp_path: Path) -> None:
    assert rooted("coco:data", "../m") == "coco:../m/data"
    assert rooted(f"coco:{tmp_path}", "../m") == f"coco:{tmp_path}"
    assert rooted("demo:evaluation:4", "../m") == "demo:evaluation:4"
    assert rooted("data", "") == "data"


def test_a_file_goes_before_its_base(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(TEXT)
    own = tmp_path / "own.toml"
    own.write_text(
        '[study]\nbase = "base.toml"\ntrials = 1\n[options]\nthreads = 1\n'
        '[[models]]\nmodel = "models/c.onnx"\nlabel = "bee"\n[[models]]\nmodel = "demo"\n'
    )
    plan = read_plan(own)
    assert [(m.label, m.model) for m in plan.models] == [
        ("a", "models/a.onnx"),
        ("bee", "models/c.onnx"),
        ("demo", "demo"),
    ]
    assert (plan.matrix.trials, plan.matrix.seed, plan.matrix.calib) == (1, 42, "data/calib")
    assert (plan.options.threads, plan.options.calibration_images) == (1, 30)
    assert plan.published[0].source == "a table"
    (tmp_path / "base.toml").write_text(own.read_text())
    with pytest.raises(UsageError, match="has one itself"):
        read_plan(own)
