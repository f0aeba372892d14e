"""study.toml: what was asked comes back as it was asked; what does not parse is refused by name."""

import tomllib

import pytest

from paredown.errors import UnknownName, UsageError
from paredown.study.limits import Limits
from paredown.study.options import Asked, Options, read_asked
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


def test_an_unknown_key_is_an_unknown_name(tmp_path):
    with pytest.raises(UnknownName):
        Asked.parse({"asked": {"model": "m", "data": "d", "dat": "x"}})
