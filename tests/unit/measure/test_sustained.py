"""Minutes, in seconds: series over time, when throttling began, what holds; and a machine that is watched."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from paredown._measure.timing.sustained import (
    Turns,
    _held_rate,
    _quantities,
    stood_still,
    sustain,
    throttling,
)
from paredown._measure.timing.watching import Moment, Watch, Watched
from paredown.hosts import open_host
from paredown.targets import target

FEEDS = {"x": np.zeros((1, 4), np.float32)}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "tiny", values[:1], values[1:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "tiny.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def turns(latency_s: np.ndarray) -> Turns:
    """One-second turns from 100 s on, of these latencies."""
    n = len(latency_s)
    counts = tuple(round(1 / s) for s in latency_s)
    ends = tuple(101.0 + i for i in range(n))
    return Turns(ends, tuple(latency_s), tuple(1.1 * latency_s), counts, (1.0,) * n)


STEADY = turns(np.full(60, 0.02))
SLOWER = turns(np.where(np.arange(60) < 25, 0.02, 0.03))


def moments(clock_mhz: np.ndarray, **changed: object) -> tuple[Moment, ...]:
    return tuple(Moment(100.5 + i, float(c), 60.0, **changed) for i, c in enumerate(clock_mhz))


FULL = Watched(moments(np.full(60, 2400.0)), clock_tells=True, throttling_tells=True)


def test_a_steady_machine_is_not_throttled_and_says_what_was_looked_at() -> None:
    found = throttling(STEADY, FULL)
    assert found.began_s is None
    assert found.words == "no throttling seen: latency hot is 1.00 of cold"
    assert found.hidden == ()
    blind = throttling(STEADY, replace(FULL, clock_tells=False, throttling_tells=False))
    assert blind.looked_at == ("latency", "temperature")
    assert "clock rate" in blind.hidden


def test_a_process_that_stood_still_says_so_and_why_it_became_slower_is_told() -> None:
    assert stood_still(STEADY) == ()
    stopped = replace(STEADY, wall_s=(*STEADY.wall_s[:-1], 116.0))
    assert stood_still(stopped)[0].text == "the process stood still once, 115 s at the longest"
    words = throttling(
        SLOWER, replace(FULL, clock_tells=False), ("other processes used 1.7 of 2 cores",)
    ).words
    assert words.endswith("other processes used 1.7 of 2 cores")


def test_throttling_begins_where_the_board_says_so() -> None:
    told = [*FULL.moments]
    told[30:] = [replace(m, states=("throttled",)) for m in told[30:]]
    found = throttling(SLOWER, replace(FULL, moments=tuple(told)))
    assert found.began_s == pytest.approx(30.5)
    assert "the board says throttled; latency hot is 1.50 of cold" in found.words
    counted = [*FULL.moments]
    counted[40:] = [replace(m, events=3) for m in counted[40:]]
    found = throttling(STEADY, replace(FULL, moments=tuple(counted)))
    assert found.began_s == pytest.approx(40.5)


def test_a_clock_rate_that_falls_is_throttling() -> None:
    rates = np.where(np.arange(60) < 25, 2400.0, 1500.0)
    found = throttling(SLOWER, replace(FULL, moments=moments(rates)))
    assert found.began_s == pytest.approx(25.5, abs=3)
    assert "from 2400 to 1500 MHz" in found.words
    dip = np.where(np.arange(60) == 25, 800.0, 2400.0)
    assert throttling(STEADY, replace(FULL, moments=moments(dip))).began_s is None


def test_becoming_slower_without_a_sign_is_not_called_throttling() -> None:
    found = throttling(SLOWER, FULL)
    assert found.began_s is None
    assert "became slower: latency hot is 1.50 of cold" in found.words


def test_uneven_latencies_that_differ_by_chance_are_not_called_slower() -> None:
    cold = [0.044, 0.048, 0.07, 0.047, 0.07, 0.046, 0.047, 0.072, 0.046, 0.047]
    found = throttling(turns(np.array([*cold, *[0.05] * 30, *[0.05, 0.058, 0.06, 0.052] * 5])), FULL)
    assert found.words == "no throttling seen: latency hot is 1.11 of cold, which may be chance"


def test_cold_hot_and_what_holds() -> None:
    found = {q.name: q for q in _quantities(SLOWER, 60.0)}
    assert found["latency_cold_s"].value == 0.02
    assert found["latency_hot_s"].value == 0.03
    assert found["hot_ratio"].value == pytest.approx(1.5)
    assert found["hot_ratio"].how == "derived"
    assert found["held_rate"].value == pytest.approx(33)
    rate, window_s = _held_rate(turns(np.array([0.1, 0.1, 0.5, 0.1, 0.1, 0.1])), 2.0)
    assert (rate, window_s) == (pytest.approx(6.0), 2.0)


def test_three_seconds_give_every_series(tiny: Path) -> None:
    found = sustain(tiny, target("local"), FEEDS, 3.0, threads=1)
    assert 3.0 <= found.time_s[-1] < 30
    assert list(found.time_s) == sorted(found.time_s)
    assert len(found.time_s) == len(found.latency_s) == len(found.latency_p90_s) == len(found.rate) >= 4
    assert len(found.state_time_s) == len(found.memory_bytes) >= 2
    assert min(found.memory_bytes) > 2**20
    assert found.throttled.words
    assert found.power_of
    assert len(found.power_w) == len(found.power_time_s)
    assert {q.name for q in found.quantities} == {
        "latency_cold_s", "latency_hot_s", "hot_ratio", "held_rate",
    }  # fmt: skip


def test_a_watched_machine_shows_its_moments_on_the_shared_clock() -> None:
    before = time.monotonic()
    with Watch(open_host(), period_s=0.05) as watch:
        time.sleep(1.3)
        seen = watch.stop()
    assert len(seen.moments) == 2
    assert before <= seen.moments[0].time_s < seen.moments[1].time_s <= time.monotonic()
    assert bool(seen.why) == (seen.power is None)
