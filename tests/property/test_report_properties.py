"""What holds for any figures and any words in a report."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from paredown._report import format as words
from paredown._report.html import tag


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(0, 4))
def test_a_shown_number_reads_back_within_half_a_last_decimal(value: float, decimals: int) -> None:
    text = words.number(value, decimals)
    read = float(text.replace(words.MINUS, "-").replace(words.THIN, ""))
    assert abs(read - value) <= 0.5000001 * 10**-decimals + abs(value) * 1e-12
    assert not (read == 0 and text.startswith((words.MINUS, "-")))


@given(st.text(), st.text())
def test_any_words_come_back_out_of_the_markup_as_they_went_in(inside: str, attribute: str) -> None:
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
    assert "".join(seen) == inside
    assert given_title == [attribute]
