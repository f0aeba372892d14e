"""The board's word on power and heat is a field of bits; what it says is told apart by when it was so."""

from __future__ import annotations

import pytest

from paredown._measure import doctor
from paredown._measure.timing.throttling import slowed
from paredown.hosts import system
from paredown.machine import Throttling


def read(monkeypatch: pytest.MonkeyPatch, text: str | None) -> Throttling:
    monkeypatch.setattr(system, "glob", lambda pattern: [])
    monkeypatch.setattr(system, "read_text", lambda path: text)
    return system.throttling()


@pytest.mark.parametrize(
    ("text", "now", "since"),
    [
        ("0", set(), set()),
        ("0x0", set(), set()),
        ("50000", set(), {"under-voltage", "throttled"}),
        ("50005", {"under-voltage", "throttled"}, {"under-voltage", "throttled"}),
        ("0x80008", {"soft temperature limit reached"}, {"soft temperature limit reached"}),
        ("20002", {"clock rate capped"}, {"clock rate capped"}),
        ("not hexadecimal", set(), set()),
        (None, set(), set()),
    ],
)
def test_bits_are_read_one_by_one(monkeypatch, text, now, since) -> None:
    found = read(monkeypatch, text)
    assert (found.now, found.since_start) == (now, since)


def test_what_was_so_before_the_timing_is_no_doubt_about_it() -> None:
    early = Throttling(0, frozenset(), frozenset({"under-voltage"}))
    assert slowed(early, early) == ""
    assert slowed(Throttling(), early) == "under-voltage"
    both = Throttling(0, frozenset({"throttled"}), frozenset({"under-voltage", "throttled"}))
    assert slowed(early, both) == "throttled"
    assert slowed(both, early) == "throttled"  # it began throttled
    assert "kernel" in slowed(Throttling(1), Throttling(2))


def test_a_field_that_shrinks_is_not_less_throttling() -> None:
    before = Throttling(0, frozenset(), frozenset({"soft temperature limit reached"}))  # 0x80000
    after = Throttling(0, frozenset({"under-voltage"}), frozenset({"under-voltage"}))  # 0x10001: smaller
    assert slowed(before, after) == "under-voltage"


def test_doctor_says_which_and_when(monkeypatch: pytest.MonkeyPatch) -> None:
    def finding(text: str) -> doctor.Finding:
        return doctor._throttled(read(monkeypatch, text))

    assert (finding("0").level, finding("50000").level, finding("50005").level) == ("ok", "warn", "bad")
    assert "under-voltage, throttled" in finding("50005").what
    assert "since the start" in finding("50000").what
