"""Profiles are read strictly, and a machine that is not the device says so."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from paredown.cores import usable_cores
from paredown.device import Device
from paredown.errors import TargetError, UnknownName, UsageError
from paredown.hosts import open_host
from paredown.machine import Machine
from paredown.protocols import Host
from paredown.runtimes import RUNTIMES
from paredown.sensors import SENSORS
from paredown.targets import devices, read_device, target, unfit_reasons
from paredown.targets.device_file import parse_device

HERE = open_host().facts()


@dataclass(frozen=True)
class Made:
    """A host whose machine is made up."""

    machine: Machine
    name: str = "local"
    times: bool = True

    def facts(self) -> Machine:
        return self.machine

    def with_modules(self, modules: Sequence[str]) -> Host:
        return self


def host(arch: str, *isa: str, board: str = "") -> Any:
    return Made(Machine(arch, board=board, instruction_sets=frozenset(isa), cores_usable=3))


def test_every_shipped_device_is_complete() -> None:
    for name, device in devices(HERE).items():
        assert device.name == name
        assert device.summary
        assert device.arch
        assert set(device.runtimes) <= set(RUNTIMES)
        target(name)


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="raspberry-pi-5"):
        target("rasberry-pi-5")


@pytest.mark.parametrize(
    ("extra", "error", "text"),
    [
        ({"satturates": True}, UnknownName, "did you mean 'saturates'"),
        ({"saturates": 1}, UsageError, "true or false"),
        ({"threads": 0}, UsageError, "above 0"),
        ({"threads": True}, UsageError, "above 0"),
        ({"memory_bytes": "4G"}, UsageError, "whole number"),
        ({"memory_bytes": [2**30, 0]}, UsageError, "above 0"),
        ({"sources": {"governer": "a page"}}, UnknownName, "key in the sources of b.toml"),
        ({"activations": "uint4"}, UsageError, "uint8 or int8"),
        ({"isa": "avx2"}, UsageError, "list of texts"),
        ({"arch": 64}, UsageError, "a text"),
        ({"summary": ""}, UsageError, "no summary"),
    ],
)
def test_wrong_keys_and_values_are_refused(extra: dict, error: type, text: str) -> None:
    with pytest.raises(error, match=text):
        parse_device({"name": "b", "summary": "a board", **extra}, "b.toml")


def test_a_device_file_of_the_user(tmp_path: Path) -> None:
    path = tmp_path / "my-board.toml"
    path.write_text('summary = "mine"\nthreads = 2\n')
    assert read_device(str(path), HERE) == Device("my-board", "mine", threads=2)
    path.write_text("summary = ")
    with pytest.raises(UsageError, match="no TOML file"):
        read_device(str(path), HERE)
    path.write_text('summary = "mine"\nruntime = "onnxruntim"\n')
    with pytest.raises(UnknownName, match="did you mean 'onnxruntime'"):
        target(str(path))
    with pytest.raises(UsageError, match="cannot read"):
        read_device(str(tmp_path / "none.toml"), HERE)


def test_saturation_follows_the_instruction_set() -> None:
    assert target("local", host("x86_64", "avx2")).policy.weight_bits == 7
    assert target("local", host("x86_64", "avx2", "vnni")).policy.weight_bits == 8
    assert target("local", host("aarch64", "neon")).policy.weight_bits == 8


def test_a_target_that_is_not_its_host_is_not_timed() -> None:
    there = host("x86_64", "avx2", "vnni")
    assert target("x86-vnni", there).runs_here
    other = target("x86-avx2", there)
    assert not other.runs_here
    assert "vnni" in other.doubts[0]
    with pytest.raises(TargetError, match="cannot be measured on this machine"):
        other.require_timing()
    assert "aarch64" in target("raspberry-pi-5", there).unfit[0]


def test_a_host_that_only_answers_is_the_device_and_is_not_timed() -> None:
    emulated = replace(host("x86_64", "avx2", "vnni"), name="emulated:Icelake", times=False)
    where = target("x86-vnni", emulated)
    assert where.runs_here
    assert where.doubts == ()
    assert where.time_nodes() is None
    with pytest.raises(TargetError, match="emulated:Icelake answers"):
        where.require_timing()


def test_a_board_is_known_by_its_own_name() -> None:
    there = host("aarch64", "neon", "dotprod", board="Raspberry Pi 5 Model B Rev 1.0")
    assert target("raspberry-pi-5", there).runs_here
    assert target("arm-dotprod", there).runs_here
    assert not target("raspberry-pi-4", there).runs_here
    assert "runs other kernels" in unfit_reasons(read_device("arm-a72", HERE), there.facts())[0]


def test_threads_left_open_are_the_cores_of_the_host() -> None:
    assert target("local", host("aarch64", "neon")).used_threads() == 3
    assert target("x86-vnni", host("aarch64", "neon")).used_threads() == 3


def test_cores_are_at_least_one() -> None:
    assert usable_cores() >= 1


def test_a_size_of_memory_needs_no_brackets_and_its_source_is_kept() -> None:
    one = parse_device({"name": "b", "summary": "a board", "memory_bytes": 2**30}, "b.toml")
    told = {"summary": "a board", "isa": ["neon"], "sources": {"isa": "its manual"}}
    assert one.memory_bytes == (2**30,)
    assert parse_device({"name": "b", **told}, "b.toml").sources == {"isa": "its manual"}


def test_each_fact_of_a_board_tells_where_it_was_read() -> None:
    for name, device in devices(HERE).items():
        assert set(device.sensors) <= SENSORS.keys(), name
        facts = {
            key: getattr(device, key)
            for key in ("board", "isa", "memory_bytes", "sensors", "governor")
            if device.sources and (key != "isa" or device.arch == "aarch64")
        }
        assert {key for key, fact in facts.items() if fact} <= device.sources.keys(), name
    boards = {"raspberry-pi-4", "raspberry-pi-5", "raspberry-pi-zero-2", "jetson-nano", "jetson-orin-nano"}
    classes = {"coral-dev-board", "rk3588", "x86-avx2", "x86-vnni", "x86-amx"}
    for name in boards | classes:
        assert read_device(name, HERE).sources, name
        assert read_device(name, HERE).governor, name
