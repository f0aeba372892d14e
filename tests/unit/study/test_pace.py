"""How long a study took and will take, in words."""

import pytest

from paredown.study.trials import minutes, pace


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1:00 min"), (151, "2:31 min"), (3599.6, "1:00 h"), (3900, "1:05 h")],
)
def test_minutes(seconds, words):
    assert minutes(seconds) == words


def test_what_is_left_is_as_long_on_average_as_what_is_done():
    assert pace(60, 2, 6) == "1:00 min elapsed, about 2:00 min left"
    assert pace(60, 6, 6) == "1:00 min elapsed"
