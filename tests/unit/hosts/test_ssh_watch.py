"""What takes minutes is taken on a board as well: watched, disturbed and measured there, over a real sshd."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from paredown import api
from paredown._measure.energy.energy import EnergyPlan, measure_energy
from paredown._measure.timing.interference import Neighbour
from paredown._measure.timing.watching import Watch
from paredown.endure import Asked, endure
from paredown.hosts import open_host
from paredown.targets import target
from sshd import Board, needs_sshd
from toys import Toy

pytestmark = needs_sshd
FEEDS = {"x": np.zeros((1, 4), np.float32)}


def test_a_board_is_watched_on_its_own_clock(board: Board) -> None:
    host = open_host("ssh:board")
    with Watch(host) as watch:
        time.sleep(1.2)
        now = host.counters().time_s
        seen = watch.stop()
    assert len(seen.moments) >= 2
    assert now - 30 < seen.moments[0].time_s < seen.moments[1].time_s
    assert bool(seen.why) == (seen.power is None)


def test_the_neighbour_disturbs_the_board(board: Board) -> None:
    with Neighbour(open_host("ssh:board"), "cpu") as neighbour:
        neighbour.go()
        time.sleep(0.2)
        neighbour.stop()
    assert neighbour.did[0][0] >= 1


def test_energy_of_a_board_without_a_sensor_is_absent_with_its_reason(board: Board, tiny: Path) -> None:
    place = target("local", open_host("ssh:board"))
    if place.host.facts().sensors:
        pytest.skip("this machine has a sensor of power")
    found = measure_energy(tiny, tiny, place, FEEDS, plan=EnergyPlan(idle_s=0.1, rounds=3))
    assert "rapl" in found.absent["energy"]


def test_what_the_process_needs_there(board: Board, toy: Toy) -> None:
    images = api.read_dataset(toy.data)
    found = endure(api.load(toy.model, images), images, Asked(3.0, footprint=True), host="ssh:board")
    assert found.sustained is not None
    assert found.footprint is not None
    named = {q.name: q.value for q in found.footprint.quantities}
    assert named["pipeline_memory_bytes"] > named["peak_memory_bytes"] > 0
    assert found.sustained.memory_bytes[0] > 2**20
