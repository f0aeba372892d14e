"""Neighbours, ways around them, threads, and what a process needs; structure and arithmetic, not times."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from paredown import api
from paredown._measure.timing.footprint import footprint
from paredown._measure.timing.interference import KINDS, Neighbour, interfere, ways
from paredown._measure.timing.rounds import Way
from paredown._measure.timing.threads_curve import counts, efficient, threads_curve
from paredown.cli import main
from paredown.endurance import Variant
from paredown.endure import Asked, endure
from paredown.errors import TargetError, UnknownName, UsageError
from paredown.hosts import open_host, page_cache
from paredown.measurement import Quantity
from paredown.targets import target
from toys import Toy


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "detector"])
def test_a_neighbour_works_only_when_told(kind: str) -> None:
    with Neighbour(open_host(), kind) as neighbour:
        for _ in range(2):
            neighbour.go()
            neighbour._process.wait(0.4)
            neighbour.stop()
    assert len(neighbour.did) == 2
    for times, seconds in neighbour.did:
        assert times >= 1
        assert seconds >= 0.3
        if kind == "video":
            assert times / seconds <= 33  # paced


def test_a_neighbour_that_cannot_work_is_an_error() -> None:
    with pytest.raises(TargetError, match="cannot work"):
        Neighbour(open_host(), "moon")


def test_a_neighbour_that_ended_is_an_error() -> None:
    with Neighbour(open_host(), "cpu") as neighbour:
        neighbour.go()
        neighbour._process.kill()
        neighbour._process.wait(5.0)
        with pytest.raises(TargetError, match="'cpu' cannot work"):
            neighbour.stop()


def test_the_measures_that_a_user_can_take() -> None:
    tried = ways(Path("m"), {}, 4, 4)
    assert [w.threads for w in tried] == [4, 3, 1, 1, 4, 4]
    assert tried[0].program == ("paredown._measure.timing.worker",)
    assert json.loads(tried[3].program[1]) == {"cores": [3]}
    alone = ways(Path("m"), {}, 1, 1)
    assert [json.loads(w.program[1]) for w in alone[1:]] == [{"nice": -10}, {"fifo": 10}]


def test_ways_take_turns_and_what_is_refused_says_why(toy: Toy) -> None:
    model = api.load(toy.model, toy.data)
    feeds = {"images": np.zeros((1, 3, 64, 64), np.float32)}
    plain, pinned = (Way(n, toy.model, feeds, 1) for n in ("as it is", "pinned"))
    pinned = replace(pinned, program=("paredown._measure.timing.scheduled", json.dumps({"cores": [0]})))
    nowhere = replace(
        pinned, name="nowhere", program=("paredown._measure.timing.scheduled", json.dumps({"cores": [4095]}))
    )
    never = Way("never", toy.model, feeds, 1, refused="the graph says no")
    found = interfere("cpu", (plain, pinned, nowhere, never), target("local"), rounds=3)
    assert model.card is not None
    first, second, third, fourth = found.variants
    assert first.change is None
    assert len(second.change.samples) == 3
    assert second.change.low <= second.change.value <= second.change.high
    assert second.beside_p95.value >= second.beside.value > 0
    assert third.refused.startswith("not permitted: ")
    assert fourth.refused == "the graph says no"
    assert "products of matrices a second" in found.did
    beside = interfere("detector", (plain,), target("local"), rounds=2)
    assert "images answered a second" in beside.did


def test_what_helped_is_more_than_chance() -> None:
    less, perhaps, more = (
        Quantity.listed("beside_ratio", (low + high) / 2, low=low, high=high)
        for low, high in [(0.8, 0.98), (0.8, 1.02), (1.1, 1.2)]
    )
    assert Variant("x", change=less, change_p95=more).gains == "median 0.89\u00d7"
    assert Variant("x", change=less, change_p95=less).gains.count("0.89") == 2
    assert Variant("x", change=perhaps, change_p95=more).gains == ""
    assert Variant("as it is").gains == ""


def test_the_efficient_number_of_threads_is_the_knee() -> None:
    assert efficient((1, 2, 3, 4), (1.0, 0.52, 0.36, 0.34)) == 3  # Eager et al.: speedup^2 / threads
    assert efficient((1, 2), (1.0, 0.9)) == 1
    assert counts(4) == (1, 2, 3, 4)
    assert counts(20) == (1, 2, 3, 4, 5, 6, 7, 8, 16, 20)


def test_the_curve_has_each_number_of_threads(toy: Toy) -> None:
    found = threads_curve(toy.model, target("local"), {"images": np.zeros((1, 3, 64, 64), np.float32)})
    assert found.threads == counts(open_host().facts().cores_usable)
    assert len(found.latency) == len(found.cpu_s) == len(found.threads)
    assert min(found.cpu_s) > 0
    assert found.efficient in found.threads


def test_what_the_process_needs(toy: Toy) -> None:
    model, image = api.load(toy.model, toy.data), np.zeros((48, 64, 3), np.uint8)
    feeds = {"images": np.zeros((1, 3, 64, 64), np.float32)}
    found = footprint(toy.model, target("local"), feeds, model.card, model.inputs, image)
    named = {q.name: q.value for q in found.quantities}
    assert named["pipeline_memory_bytes"] > named["peak_memory_bytes"] > named["model_memory_bytes"] > 0
    assert named["size_bytes"] == toy.model.stat().st_size
    assert named["load_s"] > 0
    assert ("load_cold_s" in named) == bool(found.cold) != bool(found.not_cold)


def test_no_load_is_called_cold_where_the_file_system_does_not_tell(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"how": "the system was asked", "cached": None, "peak_bytes": 1.0}
    monkeypatch.setattr("paredown._measure.timing.footprint._program", lambda *given: told)
    model, image = api.load(toy.model, toy.data), np.zeros((48, 64, 3), np.uint8)
    feeds = {"images": np.zeros((1, 3, 64, 64), np.float32)}
    found = footprint(toy.model, target("local"), feeds, model.card, model.inputs, image)
    assert "load_cold_s" not in {q.name for q in found.quantities}
    assert not found.cold
    assert "does not tell" in found.not_cold


@pytest.mark.parametrize("unused", [["--power-model", "2,7"], ["--baseline", "float.onnx"]])
def test_an_option_that_nothing_asked_for_uses_is_refused(
    toy: Toy, unused: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["measure", str(toy.model), "--data", str(toy.data), "--threads-curve", *unused]
    assert main(given) == 2
    said = capsys.readouterr().err
    assert "would use this" in said
    assert unused[0] in said


def test_watts_that_no_energy_is_made_of_are_refused(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["measure", str(toy.model), "--data", str(toy.data), "--what", "map", "--power-model", "2,7"]
    assert main(given) == 2
    assert "--power-model beside --what map" in capsys.readouterr().err


def test_files_leave_the_page_cache_or_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 2**20)
    done = subprocess.run(
        [sys.executable, "-m", "paredown.hosts.page_cache", str(path)], capture_output=True, check=True
    )
    told = json.loads(done.stdout)
    assert told["how"]
    assert told["cached"] is None or 0 <= told["cached"] <= 1
    path.read_bytes()
    assert page_cache._cached(str(path)) in (None, 1.0)


def test_what_is_asked_is_checked(toy: Toy) -> None:
    with pytest.raises(UnknownName, match="moon"):
        Asked(interference=("moon",))
    with pytest.raises(UsageError, match="too short"):
        Asked(sustained_s=1)
    assert not Asked().anything
    with pytest.raises(UsageError, match="how to feed"):
        endure(api.load(toy.model), api.read_dataset(toy.data), Asked(threads=True))
