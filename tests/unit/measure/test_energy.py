"""Watts become joules of an inference: turns, idle baseline, a meter's clock, and what cannot be had."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from paredown._measure.energy.energy import EnergyPlan, Turn, evaluate, measure_energy, settled
from paredown._measure.energy.energy_of import accuracy_per_joule, estimated_energy
from paredown._measure.energy.marker import BURSTS, on_host_clock
from paredown._measure.energy.power import Power, PowerFrom
from paredown._measure.timing.watching import Watch
from paredown.errors import DataError, UsageError
from paredown.hosts import open_host
from paredown.hosts.local import LocalHost
from paredown.hosts.program import Program
from paredown.measurement import Quantity
from paredown.sensors.series import PowerSeries
from paredown.targets import target

ADDITIONS = Path(__file__).parents[2] / "additions" / "sensors"
FEEDS = {"x": np.zeros((1, 4), np.float32)}
QUICK = EnergyPlan(idle_s=0.4, rounds=4, turn_s=0.5, settle_s=0.1, warmup_s=0.02, timeout_s=30)
ADDED = """
import paredown.sensors, runpy
paredown.sensors.__path__.append({folder!r})
paredown.sensors.SENSORS.clear()
paredown.sensors.SENSORS["square"] = "paredown.sensors.square"
runpy.run_module("paredown.hosts.watch", run_name="__main__")
"""


@dataclass(frozen=True)
class WithSensor(LocalHost):
    """This machine, with the sensor of tests/additions."""

    def spawn(self, module: str, arguments: Sequence[str] = ()) -> Program:
        if module != "paredown.hosts.watch":
            return super().spawn(module, arguments)
        return Program([sys.executable, "-P", "-c", ADDED.format(folder=str(ADDITIONS))])


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "tiny", values[:1], values[1:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "tiny.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def test_a_known_wave_is_measured_within_two_percent(tiny: Path) -> None:
    """Through the watching process and the workers, with the toy sensor: 4 W in the mean."""
    place = replace(target("local"), host=WithSensor())
    found = measure_energy(tiny, tiny, place, FEEDS, threads=1, plan=QUICK)
    named = {q.name: q for q in found.quantities}
    assert named["loaded_power_w"].value == pytest.approx(4, rel=0.02)
    assert named["idle_power_w"].value == pytest.approx(4, rel=0.02)
    assert named["energy_j"].how == "measured"
    assert len(named["energy_j"].samples) == 4
    assert named["energy_j"].low <= named["energy_j"].value <= named["energy_j"].high
    assert named["energy_ratio"].how == "derived"
    assert len(found.curves["power_w"]) == len(found.curves["power_time_s"]) > 20
    assert np.mean(found.curves["power_w"]) == pytest.approx(4, rel=0.02)


def test_without_a_sensor_energy_is_absent_with_the_reason(tiny: Path) -> None:
    """True of the machines that tests run on; where one has a sensor the reason is empty and this is moot."""
    with Watch(open_host()) as watch:
        why = watch.why
    if not why:
        pytest.skip("this machine has a sensor of power")
    found = measure_energy(tiny, tiny, target("local"), FEEDS, plan=QUICK)
    assert found.quantities == ()
    assert found.absent == {"energy": why}
    assert "rapl" in why


def turns(starts: Sequence[float], length_s: float, count: int) -> list[Turn]:
    return [Turn(s + 0.3, s + length_s, count) for s in starts]


def schedule(rng: np.random.Generator, lag_s: float = 0.0) -> tuple[PowerSeries, list[Turn], list[Turn]]:
    """2 W at rest for 5 s, then turns of 1.5 s: 6 W with the model, 5 W with float beside it."""
    times = np.arange(0, 36, 0.1) + rng.uniform(-0.03, 0.03, 360)
    seen = times - lag_s
    watts = np.where(seen < 5, 2.0, np.where((seen - 5) // 1.5 % 2 == 0, 6.0, 5.0))
    starts = 5 + 1.5 * np.arange(20)
    return PowerSeries(times, watts), turns(starts[::2], 1.5, 12), turns(starts[1::2], 1.5, 6)


@pytest.mark.parametrize("lag_s", [0.0, 0.15])
def test_energy_of_an_inference_also_of_a_sensor_that_lags(lag_s: float) -> None:
    series, mine, theirs = schedule(np.random.default_rng(0), lag_s)
    found = {q.name: q for q in evaluate(Power(series, "all"), (0.5, 4.5), mine, theirs).quantities}
    assert found["energy_j"].value == pytest.approx(6 * 1.2 / 12, rel=0.02)
    assert found["dynamic_energy_j"].value == pytest.approx(4 * 1.2 / 12, rel=0.02)
    assert found["idle_power_w"].value == pytest.approx(2, rel=0.001)
    assert found["dynamic_power_w"].value == pytest.approx(4, rel=0.02)
    assert found["energy_ratio"].value == pytest.approx(6 / 12 / (5 / 6), rel=0.02)


def test_rounds_with_missing_samples_are_left_out_and_said() -> None:
    series, mine, theirs = schedule(np.random.default_rng(1))
    kept = (series.time_s < 10) | (series.time_s > 13)
    power = Power(PowerSeries(series.time_s[kept], series.values[kept]), "all", missed=30)
    found = evaluate(power, (0.5, 4.5), mine, theirs)
    energy = next(q for q in found.quantities if q.name == "energy_j")
    assert len(energy.samples) == 8
    assert energy.value == pytest.approx(0.6, rel=0.02)
    assert "missed 30 samples" in str(found.doubts[0])


def test_too_few_samples_are_no_energy() -> None:
    series, mine, theirs = schedule(np.random.default_rng(2))
    power = Power(PowerSeries(series.time_s[:70], series.values[:70]), "all")
    assert "too few samples" in evaluate(power, (0.5, 4.5), mine, theirs).absent["energy"]


def test_no_more_power_than_at_rest_is_a_doubt() -> None:
    series, mine, theirs = schedule(np.random.default_rng(3))
    flat = Power(PowerSeries(series.time_s, np.full_like(series.values, 3.0)), "all")
    assert any(d.kind == "energy-flat" for d in evaluate(flat, (0.5, 4.5), mine, theirs).doubts)


def test_a_turn_counts_whole_inferences_behind_its_first_part() -> None:
    answer = {"end_s": [10.1, 10.2, 10.3, 10.4], "latency_s": [0.1, 0.1, 0.1, 0.08]}
    turn = settled(answer, 0.15)
    assert (turn.count, turn.end_s) == (2, 10.4)
    assert turn.start_s == pytest.approx(10.2)
    long = settled({"end_s": [12.0], "latency_s": [2.0]}, 0.3)
    assert (long.start_s, long.count) == (10.0, 1)


def edges(start: float) -> tuple[float, ...]:
    return tuple(start + np.concatenate([[0], np.cumsum(BURSTS)]))


def meter_log(offset_s: float, drift: float, period_s: float, seed: int = 0) -> PowerSeries:
    """What a meter logs of 100 s on the host: two bursts and, at 50 .. 60 s, a model. 3 W at rest, 8 W
    busy."""
    rng = np.random.default_rng(seed)
    fine = np.arange(-10, 110, 0.01)
    watts = np.full(len(fine), 3.0)
    for burst in (edges(5.0), edges(80.0)):
        for start, end in list(pairwise(burst))[::2]:
            watts[(fine >= start) & (fine < end)] = 8.0
    watts[(fine >= 50) & (fine < 60)] = 6.0
    host_s = np.arange(-9, 109, period_s)
    half = int(period_s * 50)  # a meter shows the mean of its period
    means = np.convolve(watts, np.ones(2 * half + 1) / (2 * half + 1), "same")
    seen = np.interp(host_s, fine, means) + rng.normal(0, 0.05, len(host_s))
    return PowerSeries(offset_s + host_s * (1 + drift), seen, period_s=period_s)


@pytest.mark.parametrize(("drift", "period_s"), [(0.0, 0.1), (0.003, 0.2), (-0.005, 0.5), (0.001, 1.0)])
def test_the_clock_of_a_meter_is_found_with_its_skew(drift: float, period_s: float) -> None:
    log = on_host_clock(meter_log(1_234_567.8, drift, period_s), edges(5.0), edges(80.0))
    np.testing.assert_allclose(log.time_s[0], -9, atol=0.15)
    np.testing.assert_allclose(log.time_s[-1], 109 - period_s, atol=0.15)
    assert log.energy_j(52, 58) == pytest.approx(36, rel=0.02)


def test_a_log_without_the_bursts_is_refused() -> None:
    log = meter_log(0.0, 0.0, 0.2)
    noise = PowerSeries(log.time_s, np.random.default_rng(0).normal(3, 0.1, len(log.time_s)), period_s=0.2)
    with pytest.raises(DataError, match="not found"):
        on_host_clock(noise, edges(5.0), edges(80.0))
    with pytest.raises(DataError, match="shorter"):
        on_host_clock(log, edges(5.0), edges(800.0))


def test_a_model_of_the_power_gives_estimates_only() -> None:
    timed = (
        Quantity.listed("latency_s", 0.05, samples=(0.04, 0.05, 0.06), low=0.045, high=0.055),
        Quantity.listed("cpu_percent", 100.0),
    )
    found = {q.name: q for q in estimated_energy(timed, (2.0, 10.0), 4).quantities}
    assert {q.how for q in found.values()} == {"estimated"}
    assert found["loaded_power_w"].value == pytest.approx(4)
    assert found["energy_j"].value == pytest.approx(0.2)
    assert found["dynamic_energy_j"].value == pytest.approx(0.1)
    assert (found["energy_j"].low, found["energy_j"].high) == (pytest.approx(0.18), pytest.approx(0.22))


def test_measured_and_estimated_do_not_mix() -> None:
    with pytest.raises(UsageError, match="one source"):
        PowerFrom("log.csv", (1.0, 2.0))
    with pytest.raises(UsageError, match="two numbers"):
        PowerFrom(model=(3.0, 2.0))


@pytest.mark.parametrize(("how", "then"), [("measured", "derived"), ("estimated", "estimated")])
def test_accuracy_for_a_joule(how: str, then: str) -> None:
    accuracy = Quantity("map50_95", 0.4, "", "higher", low=0.35, high=0.45)
    energy = Quantity.listed("energy_j", 0.5, how=how, low=0.4, high=0.6)
    (found,) = accuracy_per_joule((accuracy, energy))
    assert (found.value, found.how) == (pytest.approx(80), then)
    assert (found.low, found.high) == (pytest.approx(35 / 0.6), pytest.approx(45 / 0.4))
    assert accuracy_per_joule((accuracy,)) == ()
    agreement = Quantity("fidelity_map50_95", 0.4, "", "higher")
    assert accuracy_per_joule((agreement, energy)) == ()
