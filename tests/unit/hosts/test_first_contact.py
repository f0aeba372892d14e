"""What the first contact with a board lays out there, from where, and why it may refuse."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from paredown.errors import StorageError, TargetError, UsageError
from paredown.hosts import board_link, open_host, wheels
from paredown.hosts.device_package import ALWAYS, SOURCE, closure, device_package
from sshd import Board, needs_sshd, wheels_of

ORT = "paredown.runtimes.onnxruntime"


@pytest.fixture
def offline_pip(tmp_path: Path) -> dict[str, str]:
    """Settings by which pip takes what a board's facts need from a folder instead of the network."""
    folder = wheels_of(device_package(()), tmp_path / "index")
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": "/dev/null"}


def without_pip(board: Board, *more: str) -> None:
    """Take ensurepip from the board's Python, as Debian does without python3-venv."""
    shadow = board.folder / "shadow"
    shadow.mkdir()
    (shadow / "ensurepip.py").write_text("raise ImportError('No module named ensurepip')\n")
    lines = [f"export PYTHONPATH={shadow}", *more]
    (board.folder / "profile").write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize("runtime", ["onnxruntime", "ncnn", "openvino"])
def test_the_package_is_what_a_worker_imports(runtime: str) -> None:
    modules = (ALWAYS, "paredown._measure.timing.worker", f"paredown.runtimes.{runtime}")
    code = f"import json, sys; import {', '.join(modules)}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    loaded = {name for name in json.loads(done.stdout) if name.startswith("paredown")}
    files, foreign = closure(modules)
    sent = {p.relative_to(SOURCE).as_posix().removesuffix(".py").replace("/", ".") for p in files}
    sent = {name.removesuffix(".__init__") for name in sent}
    by_name = {name for name in sent if name.startswith("paredown.sensors.")}
    assert sent - by_name == loaded - by_name
    assert foreign == {"numpy", "psutil", runtime}


def test_the_package_is_small_and_the_same_every_time() -> None:
    device_package.cache_clear()
    first = device_package((ORT,))
    device_package.cache_clear()
    assert device_package((ORT,)) == first
    assert len(first.zipped) < 100_000
    assert any(pin.startswith("openvino==") for pin in device_package(("paredown.runtimes.openvino",)).pins)
    assert not any(pin.startswith(("torch", "opencv", "openvino-telemetry")) for pin in first.pins)


@needs_sshd
def test_a_new_board_is_laid_out_from_a_folder_of_wheels(
    new_board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_pip(new_board)
    monkeypatch.setenv(wheels.FOLDER, str(wheels_of(device_package((ORT,)), tmp_path / "wheels")))
    host = open_host("ssh:board").with_modules([ORT])
    facts = host.facts()
    assert {"numpy", "onnxruntime"} <= facts.packages.keys()
    program = host.spawn("timeit", ["-n1", "-r1", "import numpy, onnxruntime; print(numpy.__file__)"])
    assert program.stdout.readline().decode().startswith(str(new_board.kept / "venv"))
    program.close()
    assert {p.name for p in new_board.kept.iterdir()} == {"files", "code", "venv"}
    assert len(list((new_board.kept / "venv").iterdir())) == 1


@needs_sshd
def test_a_board_with_pip_installs_by_itself(new_board: Board, offline_pip: dict[str, str]) -> None:
    lines = [f"export {name}={value}\n" for name, value in offline_pip.items()]
    (new_board.folder / "profile").write_text("".join(lines))
    assert open_host("ssh:board").facts().cores_usable >= 1
    assert not list(new_board.kept.glob("files/*/*.whl"))


@needs_sshd
def test_a_board_without_pip_gets_wheels_that_are_fetched_here(
    new_board: Board, offline_pip: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_pip(new_board)
    python = Path(sys.base_prefix, "bin", "python3")
    if subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode != 0:
        pytest.skip("needs pip in the Python that this environment was made with")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in offline_pip.items():
        monkeypatch.setenv(name, value)
    assert open_host("ssh:board").facts().cores_usable >= 1
    assert len(list(new_board.kept.glob("files/*/psutil*.whl"))) == 1
    assert len(list((tmp_path / ".cache" / "paredown" / "wheels").iterdir())) == 2  # with numpy


@needs_sshd
def test_nobody_can_install_is_told_with_both_reasons(
    new_board: Board, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_pip(new_board)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        TargetError, match=r"ensurepip is missing; this machine: no pip[\s\S]*PAREDOWN_WHEELS"
    ):
        open_host("ssh:board").facts()
    assert not list((new_board.kept / "venv").iterdir())  # nothing half-made


@needs_sshd
def test_an_old_python_is_refused_by_its_name(new_board: Board) -> None:
    for name in ("python3", "python3.14", "python3.13", "python3.12", "python3.11"):
        (new_board.bin / name).unlink(missing_ok=True)
        (new_board.bin / name).write_text('#!/bin/sh\necho "Python 3.6.9"\nexit 1\n')
        (new_board.bin / name).chmod(0o755)
    with pytest.raises(TargetError, match=r"got: Python 3\.6\.9\n  expected: Python 3\.11 or newer"):
        open_host("ssh:board").facts()


@needs_sshd
def test_a_newer_python_beside_an_old_one_is_taken(board: Board) -> None:
    (board.bin / "python3").rename(board.bin / "python3.12")
    (board.bin / "python3").write_text("#!/bin/sh\nexit 1\n")
    (board.bin / "python3").chmod(0o755)
    assert open_host("ssh:board").facts().cores_usable >= 1


@needs_sshd
def test_a_full_disk_is_found_before_anything_is_installed(new_board: Board) -> None:
    new_board.kept.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(new_board.kept)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a small disk")
    try:
        with pytest.raises(StorageError, match=r"too full[\s\S]*got: 1 MB free"):
            open_host("ssh:board").facts()
        assert not list(new_board.kept.iterdir())
    finally:
        board_link.close_links()
        subprocess.run(["umount", "-l", str(new_board.kept)], check=True)


def test_wheels_are_chosen_for_the_board_and_not_for_this_machine(tmp_path: Path) -> None:
    seen = {"python": "3.12.1", "machine": "aarch64", "libc": "glibc", "libc_version": "2.31"}
    for name in (
        "numpy-2.0-cp312-cp312-manylinux_2_17_aarch64.manylinux2014_aarch64.whl",
        "numpy-2.0-cp311-cp311-manylinux2014_aarch64.whl",
        "numpy-2.0-cp312-cp312-manylinux2014_x86_64.whl",
        "psutil-7.0-cp36-abi3-manylinux_2_12_aarch64.whl",
        "onnxruntime-1.0-cp312-cp312-manylinux_2_34_aarch64.whl",
        "note.whl",
    ):
        (tmp_path / name).touch()
    tags = wheels.board_tags(seen)
    found = wheels._chosen(tmp_path, ["numpy==2.0", "psutil==7.0"], tags, "")
    assert [p.name.split("-")[2] for p in found] == ["cp312", "cp36"]
    with pytest.raises(TargetError, match=r"no wheel of onnxruntime==1\.0 fits"):  # that asks for glibc 2.34
        wheels._chosen(tmp_path, ["onnxruntime==1.0"], tags, "")


def test_a_folder_of_wheels_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(wheels.FOLDER, str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="names no folder"):
        wheels.folder()
