"""What a terminal obeys is spelled out, and nothing else changes."""

from __future__ import annotations

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paredown.errors import LONGEST, MOST_LINES, DataError, UnknownName
from paredown.printable import printable, quoted
from paredown.study.records import json_text

HARMFUL = [
    "\x1b[31m",
    "\x9b31m",
    "\x7f",
    "\x07",
    "\r",
    "\x00",
    "\u202e",
    "\u2066",
    "\u2028",
    "\udc9b",
    "\ufeff",
]


@pytest.mark.parametrize("part", HARMFUL, ids=ascii)
def test_what_a_terminal_obeys_is_spelled_out(part):
    shown = printable(f"a{part}b")
    assert shown.isprintable()
    assert shown == f"a{ascii(part)[1:-1]}b"


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"])))
def test_all_other_text_stays(text):
    assert printable(text) == text


@given(st.text(st.characters()))
def test_nothing_harmful_is_left(text):
    shown = printable(text)
    assert printable(shown) == shown
    assert shown.splitlines() in ([shown], [])
    shown.encode()
    assert printable(text, keep_lines=True).count("\n") == text.count("\n")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_and_toml_read_back_equal(text):
    assert json.loads(json_text({"x": text})) == {"x": text}
    assert tomllib.loads(f"x = {quoted(json.dumps(text, ensure_ascii=False))}") == {"x": text}
    assert printable(json_text({"x": text}), keep_lines=True) == json_text({"x": text})


@pytest.mark.parametrize("part", HARMFUL, ids=ascii)
def test_every_part_of_an_error_is_harmless(part):
    error = DataError(
        f"bad {part}", got=[f"x{part}"], expected=f"a\n  hint: {part}", hint=f"try {part}\nor not"
    )
    assert printable(str(error), keep_lines=True) == str(error)
    assert len(str(error).splitlines()) == 5  # the hint alone has lines of its own
    assert error.what == f"bad {part}"  # whole, for who reads it in Python


def test_no_error_is_longer_than_a_screen():
    names = [f"class number {i}" for i in range(1000)]
    hint = "write\n" + "\n".join(f"line {i} {', '.join(names)}" for i in range(100))
    error = DataError(", ".join(names), got=names, expected="x" * 5000, hint=hint)
    lines = str(error).splitlines()
    assert len(lines) <= MOST_LINES + 5
    assert all(len(line) <= LONGEST + 40 for line in lines)
    assert ", ... and " in lines[0]
    assert error.got == names
    assert str(UnknownName("class", "x", names)).count("class number") < 40


def test_a_cut_list_says_how_many_more():
    names = [f"n{i:03d}" for i in range(1000)]
    shown = str(DataError("bad", got=", ".join(names))).splitlines()[1]
    kept, _, more = shown.removeprefix("  got: ").partition(", ... and ")
    assert len(kept.split(", ")) + int(more.split()[0]) == 1000


def test_an_empty_text_stays_empty():
    from paredown.screen import harmless

    assert harmless("") == ""
    assert harmless("\n") == "\n"
