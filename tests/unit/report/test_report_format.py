"""Numbers as text: units, decimals, signs."""

import pytest

from paredown._report import format as words
from paredown._report.summary import change
from paredown.measurement import Quantity
from paredown.metrics import title_of


def plain(text: str) -> str:
    return text.replace(words.THIN, " ").replace(words.MINUS, "-").replace(words.TIMES, "x")


@pytest.mark.parametrize(
    ("name", "value", "unit", "expected"),
    [
        ("latency_s", 0.03042, "s", "30.4 ms"),
        ("size_bytes", 3_456_789, "bytes", "3.5 MB"),
        ("latency_ratio", 0.4949, "ratio", "0.49x"),
        ("map50_95", 0.41441, "", "0.414"),
        ("map50_95_drop", 0.403, "points", "0.40 points"),
        ("miss_rate", 0.114, "", "11.4 %"),
        ("cpu_percent", 99.04, "%", "99.0 %"),
        ("confidence_shift", -0.0001, "", "0.000"),
        ("confidence_shift", -0.012, "", "-0.012"),
        ("map50", float("nan"), "", "not finite"),
    ],
)
def test_a_quantity_is_shown_with_its_unit_and_sensible_decimals(name, value, unit, expected) -> None:
    assert plain(words.shown(Quantity(name, value, unit, "lower"))) == expected


def test_an_interval_is_shown_in_the_unit_of_its_value() -> None:
    q = Quantity("latency_s", 0.0304, "s", "lower", low=0.0298, high=0.031)
    assert words.interval(q) == f"29.8 {words.DASH} 31.0"
    assert words.interval(Quantity("latency_s", 0.0304, "s", "lower")) == ""


def test_counts_and_sizes() -> None:
    assert plain(words.count(4_370_000_000)) == "4.37 G"
    assert plain(words.count(941)) == "941"
    assert plain(words.mb(12_800_000)) == "12.8 MB"
    assert plain(words.mb(1_234_567)) == "1.23 MB"
    assert words.plural(1, "image") == "1 image"


def test_an_unknown_quantity_is_spelled_out() -> None:
    assert title_of("boot_memory_bytes") == "boot memory"
    assert title_of("model_memory_bytes") == "model memory"
    assert title_of("fidelity_map50_95") == "agreement with the float model"
    assert title_of("fidelity_map75") == "agreement, mAP75"


def test_a_change_says_less_more_or_as_much():
    times = words.TIMES
    assert [change(x) for x in (2.0, 0.5, 1.004, 0.996)] == [
        f"2.00{times} less",
        f"2.00{times} more",
        *["as much"] * 2,
    ]
