"""What holds for any figures and any words in a report."""

from __future__ import annotations

import unicodedata
from html.parser import HTMLParser

from hypothesis import example, given
from hypothesis import strategies as st

from paredown._report import format as words
from paredown._report.html import tag


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(0, 4))
def test_a_shown_number_reads_back_within_half_a_last_decimal(value: float, decimals: int) -> None:
    text = words.number(value, decimals)
    read = float(text.replace(words.MINUS, "-").replace(words.THIN, ""))
    assert abs(read - value) <= 0.5000001 * 10**-decimals + abs(value) * 1e-12
    assert not (read == 0 and text.startswith((words.MINUS, "-")))


# What a terminal or a browser obeys instead of showing: control characters, halves of a character, what turns
# the direction of writing, and the separators and marks that nobody sees.
OBEYED = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
OBEYED += "\u2028\u2029\ufeff\ufff9\ufffa\ufffb"


def _spelled(text: str) -> str:
    """As the text is meant to be read: a line feed stays, what is obeyed is written as Python writes it."""
    return "".join(
        repr(character)[1:-1]
        if (unicodedata.category(character) in ("Cc", "Cs") or character in OBEYED) and character != "\n"
        else character
        for character in text
    )


@given(st.text() | st.text(st.sampled_from("ab<&\"'\n\t\x00\x1b\x7f\x85" + OBEYED)), st.text())
@example("\x1b[2J <b>\u202egpj.exe", "\x07")
@example("plain words & <b>marks</b>, \u00e9\u4e2d", "'\"")
def test_any_words_come_back_out_of_the_markup_with_only_control_characters_spelled_out(
    inside: str, attribute: str
) -> None:
    seen: list[str] = []
    given_title: list[str | None] = []

    class Reader(HTMLParser):
        def handle_starttag(self, name, attrs):
            given_title.append(dict(attrs)["title"])

        def handle_data(self, data):
            seen.append(data)

    reader = Reader()
    reader.feed(tag("p", inside, title=attribute))
    reader.close()
    assert "".join(seen) == _spelled(inside)
    assert given_title == [_spelled(attribute)]
