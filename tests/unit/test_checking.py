"""Arguments of a wrong type are usage errors that say what was expected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import pytest

import paredown
from paredown.checking import checked, fits, spell
from paredown.errors import UsageError
from paredown.protocols import Progress, silent


@pytest.mark.parametrize(
    ("value", "hint", "fit"),
    [
        ("a", str, True),
        (Path("a"), str | Path, True),
        (1, str | Path, False),
        (None, str | None, True),
        (True, int, False),
        (1, float, True),
        (1.5, int, False),
        (["a"], Sequence[str], True),
        ("a", Sequence[str], False),
        ((1,), tuple[str, ...], False),
        (["a"], tuple[str, ...], False),
        ("letterbox", Literal["letterbox", "crop"], True),
        ("box", Literal["letterbox", "crop"], False),
        (silent, Progress | None, True),
        (3, Progress | None, False),
        (print, Callable[[str], None], True),
        (3, object, True),
    ],
)
def test_fits(value, hint, fit):
    assert fits(value, hint) is fit


def test_types_in_words():
    assert spell(str | Path | None) == "text, a path or None"
    assert spell(Sequence[str]) == "a list of text"


def test_a_checked_function_says_which_argument_is_wrong():
    @checked
    def halve(x: float, *, name: str = "") -> float:
        return x / 2

    assert halve(3, name="a") == 1.5
    with pytest.raises(UsageError, match=r"halve\(x=\.\.\.\) has a wrong type"):
        halve("3")
    with pytest.raises(TypeError):
        halve(3, nom="a")


@pytest.mark.parametrize(
    "call",
    [
        lambda: paredown.load(3),
        lambda: paredown.read_dataset(["a", "b"]),
        lambda: paredown.target(None),
        lambda: paredown.inspect(b"onnx"),
        lambda: paredown.compress("m.onnx", 8, "data"),
        lambda: paredown.compress("m.onnx", "int8", "data", threads="2"),
        lambda: paredown.compress("m.onnx", "int8", 3),
        lambda: paredown.measure("m.onnx", "data", what="map"),
        lambda: paredown.measure("m.onnx", "data", baseline=1),
        lambda: paredown.compare("a.onnx", None, "data"),
        lambda: paredown.run("m.onnx", "data", out="o", limits=0.5),
        lambda: paredown.run("m.onnx", "data", out=None),
        lambda: paredown.run("m.onnx", "data", out="o", recipes=3),
        lambda: paredown.run("m.onnx", "data", out="o", progress="yes"),
        lambda: paredown.report(3),
        lambda: paredown.bundle("study", 4),
        lambda: paredown.Options(threads="2"),
        lambda: paredown.Options(recipes=("int8", 4)),
        lambda: paredown.Options(recipes=8),
        lambda: paredown.Limits(max_drop="0.5"),
        lambda: paredown.Limits(max_size_bytes=1.5),
    ],
)
def test_every_wrong_type_is_a_usage_error(call):
    with pytest.raises(UsageError) as error:
        call()
    assert "wrong type" in error.value.what
    assert error.value.expected


@pytest.mark.parametrize("given", ["int8", "int8,int4", ["int8", "int4"], ("int8", "int4")])
def test_recipes_may_be_text_or_a_list(given):
    assert paredown.Options(recipes=given).recipes == ("int8", "int4")[: 1 if given == "int8" else 2]


def test_recipes_named_twice_are_refused(tmp_path):
    with pytest.raises(UsageError, match="named twice"):
        paredown.run("m.onnx", "d", out=tmp_path, recipes="int8", options=paredown.Options(recipes=("int4",)))
