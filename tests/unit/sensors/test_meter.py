"""What external meters write: CSV in several layouts, lines on a serial port (a pseudo terminal)."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from paredown._measure.energy.power import PowerFrom
from paredown.errors import DataError
from paredown.sensors.meter import Meter, read_csv


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("", "{t},{w}"),
        ("time_s,power_w", "{t},{w}"),
        ("Timestamp [ms],Power (mW)", "{ms},{mw}"),
        ("t,V,A", "{t},5,{a}"),
        ("time,voltage_mv,current_ma,note", "{t},5000,{ma},x"),
        ("date,W", "{iso},{w}"),
        ("Timestamp(us),Current(uA),Voltage(mV)", "{us},{ua},5000"),
        ("time_ns,power_kw", "{ns},{kw}"),
        ("t,\u00b5W", "{t},{uw}"),
    ],
)
def test_a_csv_is_seconds_and_watts(tmp_path: Path, head: str, row: str) -> None:
    lines = [head] if head else []
    for i in range(20):
        t, w = 100 + 0.5 * i, 2.0 + i
        iso = f"2026-01-01T00:00:{int(0.5 * i):02d}.{5 * (i % 2)}00+00:00"
        values = {"t": t, "ms": 1000 * t, "w": w, "mw": 1000 * w, "a": w / 5, "ma": 200 * w, "iso": iso}
        values |= {"us": 1e6 * t, "ns": 1e9 * t, "ua": 2e5 * w, "uw": 1e6 * w, "kw": 1e-3 * w}
        lines.append(row.format(**values))
    path = tmp_path / "log.csv"
    path.write_text("\n".join([*lines[:8], "nan-ish,broken", *lines[8:]]))
    series = read_csv(path)
    np.testing.assert_allclose(series.values, 2 + np.arange(20.0))
    np.testing.assert_allclose(np.diff(series.time_s), 0.5)
    assert series.period_s == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("text", "word"),
    [("", "empty"), ("a,b\n1,2\n", "not understood"), ("time,power\n1,2\n", "too little")],
)
def test_a_log_that_is_none_is_an_error(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=word):
        read_csv(path)
    with pytest.raises(DataError, match="cannot be read"):
        Meter(str(tmp_path / "none.csv"))


def test_names_that_say_nothing_are_refused_before_anything_is_timed(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("hello\n")
    with pytest.raises(DataError, match="not understood"):
        PowerFrom(log=str(path)).require_log()
    for head in ("", "time,power\n", "0.5,2\n"):  # the readings come later
        path.write_text(head)
        PowerFrom(log=str(path)).require_log()


def test_a_serial_port_is_read_line_by_line() -> None:
    ours, theirs = os.openpty()
    with Meter(f"{os.ttyname(theirs)}@9600") as meter:
        for i in range(12):
            os.write(ours, (b"5.00 V, .40 A\r\n", b"3.5 W\n", b"3.5e0\n", b"+5.V 400e-3A\n")[i % 4])
            time.sleep(0.01)
        end = time.monotonic() + 5
        while len(meter._lines) < 12 and time.monotonic() < end:
            time.sleep(0.01)
        series = meter.series()
    os.close(ours)
    np.testing.assert_allclose(series.values, [2.0, 3.5, 3.5, 2.0] * 3)
    assert (np.diff(series.time_s) > 0).all()
