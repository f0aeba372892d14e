"""What is typed becomes values, or an error in words; progress speaks on stderr and changes nothing."""

import argparse
from io import StringIO
from itertools import islice

import pytest

from paredown.card import Card, Preprocess
from paredown.cli import main
from paredown.cli.console import Voice
from paredown.cli.values import amount, count, duration, names, number, span
from paredown.protocols import most
from paredown.sample import Dataset
from paredown.screen import Screen
from paredown.study.bench import FedImages

CARD = Card("yolov8", "detect", Preprocess((32, 32)), ("a",))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("0s", 0)]
)
def test_durations(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("convert", "text"),
    [
        (duration, "1d"),
        (span, "0s"),
        (duration, "-1s"),
        (number, "-1"),
        (number, "nan"),
        (number, "x"),
        (count, "1.5"),
        (count, "-1"),
    ],
)
def test_what_is_no_such_value_is_refused(convert, text):
    with pytest.raises(argparse.ArgumentTypeError):
        convert(text)


@pytest.mark.parametrize(
    ("text", "ms"), [("33", 33), ("33ms", 33), (" 33 MS", 33), ("0.033s", 33), ("500us", 0.5), (".5", 0.5)]
)
def test_milliseconds(text, ms):
    assert amount("s")(text) == pytest.approx(ms / 1e3)


@pytest.mark.parametrize(
    ("text", "mb"), [("3", 3), ("3MB", 3), ("3000kB", 3), ("1 GB", 1000), ("1MiB", 1.048576), ("2.", 2)]
)
def test_megabytes(text, mb):
    assert amount("bytes")(text) == pytest.approx(mb * 1e6, abs=1)


@pytest.mark.parametrize("text", ["", "ms", "-3", "3 m", "1e3", "nan", "inf", "3mb"])
def test_a_latency_with_another_unit_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="33ms"):
        amount("s")(text)


def test_names():
    assert names(" a, b,,c ") == ("a", "b", "c")


@pytest.mark.parametrize("quiet", [True, False])
def test_progress_gives_every_item_once_and_writes_only_to_stderr(quiet, capsys):
    voice = Voice(quiet)
    nested = [list(voice.progress(range(i), "inner")) for i in voice.progress(range(3), "outer")]
    assert nested == [[], [0], [0, 1]]
    voice.say("[not markup]")
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == ("" if quiet else "[not markup]\n")


def test_a_terminal_breaks_notes_between_words_and_commands_nowhere(monkeypatch):
    voice, seen = Voice(), StringIO()
    monkeypatch.setattr(
        voice, "_console", Screen(file=seen, force_terminal=True, width=24, color_system=None)
    )
    voice.say("    0.11 points lost, 34.2 ms beside float's")
    voice.say("stopped: one trial\nkept [bold]")  # no name forges a line, or is markup
    voice.say("  paredown run model.onnx --data images/", whole=True)
    assert [line.rstrip() for line in seen.getvalue().splitlines()] == [
        "    0.11 points lost,",
        "    34.2 ms beside",
        "    float's",
        "stopped: one trial\\nkept",
        "[bold]",
        "  paredown run model.onnx --data images/",
    ]


def test_a_bar_of_slow_steps_says_what_is_left(monkeypatch):
    moment = [0.0]
    voice = Voice()
    screen = Screen(file=StringIO(), force_terminal=True, get_time=lambda: moment[0])
    monkeypatch.setattr(voice, "_console", screen)
    for i in voice.progress(range(6), "recipes"):
        if i > 2:
            assert voice._bars.tasks[0].time_remaining == pytest.approx((6 - i) * 100, rel=0.01)
        moment[0] += 100.0


def test_bars_know_the_total_of_whatever_has_a_length(monkeypatch):
    seen = []
    monkeypatch.setattr(Voice, "_lines", lambda self, items, what, total: seen.append(total) or items)
    images = FedImages(Dataset("d", "plain", "", (), ()), CARD, ())
    list(Voice().progress(images, "calibrating"))
    list(Voice().progress({"a": 1}, "correcting biases"))
    list(Voice().progress(islice([1, 2, 3], 2), "some", most([1, 2, 3], 2)))
    assert seen == [0, 1, 2]


def test_a_defect_is_one_line_without_traceback(monkeypatch, capsys):
    def broken(words):
        raise KeyError("x")

    monkeypatch.setattr("paredown.cli._dispatch", broken)
    assert main(["run"]) == 1
    assert capsys.readouterr().err.startswith("error: a defect in paredown: KeyError")
    assert main(["run", "--debug"]) == 1  # the traceback is printed by us, harmless like all else
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "a defect in paredown: KeyError" in told
