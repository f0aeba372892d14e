"""study.toml: what was asked comes back as it was asked; what does not parse is refused by name."""

import tomllib

import pytest

from paredown.cli.parser import Parser, add_effort
from paredown.errors import UnknownName, UsageError
from paredown.job import command
from paredown.study.limits import Limits
from paredown.study.options import CALIBRATION_IMAGES, Asked, Options, read_asked
from paredown.toml import toml_text


def test_what_was_asked_comes_back_equal():
    limits = Limits(max_drop=0.5, max_size_bytes=4_000_000)
    options = Options(
        recipes=("int8", "w8"), budget_s=90.0, keep_float=('a "b"\n\x7f',), seed=3, allow_overlap=True
    )
    asked = Asked("m.onnx", "coco:/d", "c", limits, options)
    assert Asked.parse(tomllib.loads(toml_text(asked.tables()))) == asked
    assert Asked.parse(tomllib.loads(toml_text(Asked("m", "d").tables()))) == Asked("m", "d")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"must say \[asked\] model"),
        ("[asked]\nmodel = 'm'", r"must say \[asked\] data"),
        ("[asked]\nmodel = 'm'\ndata = 'd'\n[limit]", "did you mean 'limits'"),
        ("[asked]\nmodel = 'm'\ndata = 'd'\n[limits]\nmax_dorp = 1", "did you mean 'max_drop'"),
        (
            "[asked]\nmodel = 'm'\ndata = 'd'\n[options]\nthreads = 'two'",
            "threads has a value of the wrong type",
        ),
        ("[asked]\nmodel = 'm'\ndata = 'd'\n[options]\nseed = true", "seed has a value of the wrong type"),
        (
            "[asked]\nmodel = 'm'\ndata = 'd'\n[options]\nrecipes = [1]",
            "recipes has a value of the wrong type",
        ),
        ("[asked]\nmodel = 'm'\ndata = 'd'\n[limits]\nmax_drop = -1", "must not be negative"),
        ("asked = 3", "tables only"),
        ("[asked", "no TOML file"),
    ],
)
def test_what_does_not_parse_is_refused_by_name(text, words, tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        read_asked(path)


@pytest.mark.parametrize(
    ("given", "words"), [({"timing_s": 0.0}, "no time"), ({"evaluation_images": -1}, "no image to judge on")]
)
def test_nothing_at_all_is_no_effort(given, words):
    with pytest.raises(UsageError, match=words):
        Options(**given)


def test_effort_is_said_on_the_command_line_and_again(tmp_path):
    parser = Parser()
    add_effort(parser)
    words = ["--calibration-images", "20", "--evaluation-images", "40", "--timing", "0.5s"]
    args = parser.parse_args(words)
    options = Options(
        calibration_images=args.calibration_images,
        evaluation_images=args.evaluation_images,
        timing_s=args.timing,
    )
    again = command(Asked("m.onnx", "images", options=options), tmp_path)
    assert " ".join(words) in again
    assert "--timing" not in command(Asked("m.onnx", "images"), tmp_path)
    assert f"(default: {CALIBRATION_IMAGES})" in parser.format_help()


def test_an_unknown_key_is_an_unknown_name(tmp_path):
    with pytest.raises(UnknownName):
        Asked.parse({"asked": {"model": "m", "data": "d", "dat": "x"}})
