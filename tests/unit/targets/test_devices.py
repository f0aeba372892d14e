"""Profiles are read strictly, and a machine that is not the device says so."""

from pathlib import Path

import pytest

from paredown.cores import usable_cores
from paredown.device import Device
from paredown.errors import TargetError, UnknownName, UsageError
from paredown.hosts import cpu
from paredown.runtimes import RUNTIMES
from paredown.targets import devices, read_device, target, unfit_reasons
from paredown.targets.device_file import parse_device


def machine(monkeypatch: pytest.MonkeyPatch, arch: str, *isa: str, board: str = "") -> None:
    monkeypatch.setattr(cpu, "arch", lambda: arch)
    monkeypatch.setattr(cpu, "features", lambda: frozenset(isa))
    monkeypatch.setattr(cpu, "features_known", lambda: True)
    monkeypatch.setattr(cpu, "board_name", lambda: board)
    monkeypatch.setattr(cpu, "model_name", lambda: "")


def test_every_shipped_device_is_complete() -> None:
    for name, device in devices().items():
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
    assert read_device(str(path)) == Device("my-board", "mine", threads=2)
    path.write_text("summary = ")
    with pytest.raises(UsageError, match="no TOML file"):
        read_device(str(path))
    path.write_text('summary = "mine"\nruntime = "onnxruntim"\n')
    with pytest.raises(UnknownName, match="did you mean 'onnxruntime'"):
        target(str(path))
    with pytest.raises(UsageError, match="cannot read"):
        read_device(str(tmp_path / "none.toml"))


def test_saturation_follows_the_instruction_set(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, "x86_64", "avx2")
    assert target("local").policy.weight_bits == 7
    machine(monkeypatch, "x86_64", "avx2", "vnni")
    assert target("local").policy.weight_bits == 8
    machine(monkeypatch, "aarch64", "neon")
    assert target("local").policy.weight_bits == 8


def test_a_target_that_is_not_this_machine_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, "x86_64", "avx2", "vnni")
    assert target("x86-vnni").runs_here
    other = target("x86-avx2")
    assert not other.runs_here
    assert "vnni" in other.doubts[0]
    with pytest.raises(TargetError, match="cannot be measured on this machine"):
        other.require_timing()
    assert "aarch64" in target("raspberry-pi-5").unfit[0]


def test_a_board_is_known_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, "aarch64", "neon", "dotprod", board="Raspberry Pi 5 Model B Rev 1.0")
    assert target("raspberry-pi-5").runs_here
    assert target("arm-dotprod").runs_here
    assert not target("raspberry-pi-4").runs_here
    assert "runs other kernels" in unfit_reasons(read_device("arm-a72"))[0]


def test_cores_are_at_least_one() -> None:
    assert usable_cores() >= 1
