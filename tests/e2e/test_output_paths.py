"""Every command that writes: what stands at its --out is kept, unless it is ours or --force says so."""

from __future__ import annotations

import os
import shutil
from importlib import import_module

import pytest

from paredown.cli import COMMANDS, main
from paredown.cli.parser import Parser


@pytest.fixture(scope="module")
def study(toy, tmp_path_factory):
    out = tmp_path_factory.mktemp("study") / "y8"
    words = ["run", toy.model, "--data", toy.data, "--calib", toy.calib, "--recipes", "int8-weights"]
    assert main([*map(str, words), "--out", str(out), "--quiet"]) in (0, 3)
    return out


@pytest.fixture(scope="module")
def lines(toy, study, tmp_path_factory):
    """For every command that writes one: the command line without --out."""
    packed = tmp_path_factory.mktemp("packed") / "toy.pdz"
    assert main(["pack", str(toy.model), "--out", str(packed)]) == 0
    data = ["--data", toy.data]
    files = {
        "measure": ["measure", toy.model, *data, "--what", "map"],
        "report": ["report", study],
        "pack": ["pack", toy.model],
        "unpack": ["unpack", packed],
        "new-decode": ["new-decode", toy.model],
    }
    folders = {
        "run": ["run", toy.model, *data, "--calib", toy.calib, "--recipes", "int8-weights"],
        "study": ["study", study / "study.toml", "--model", toy.model, *data, "--calib", toy.calib],
        "demo": ["demo"],
        "compress": ["compress", toy.model, "--recipe", "int8-weights", "--calib", toy.calib],
        "compare": ["compare", toy.model, toy.model, *data],
    }
    return {name: [str(w) for w in words] for name, words in (files | folders).items()}


FILES = ("measure", "report", "pack", "unpack", "new-decode")
FOLDERS = ("run", "study", "demo", "compress", "compare")


def quiet(words, out, *more):
    return main([*words, "--out", str(out), *(() if words[0] == "report" else ("--quiet",)), *more])


def test_every_command_that_writes_stands_in_these_tests():
    writing = set()
    for name in COMMANDS:
        parser = Parser(prog=name)
        import_module(f"paredown.cli.{name.replace('-', '_')}").arguments(parser)
        options = set(parser._option_string_actions)
        if "--out" in options:
            writing.add(name)
            assert "--force" in options, name
    assert writing >= {*FILES, *FOLDERS}


@pytest.mark.parametrize("name", [*FILES, *FOLDERS])
@pytest.mark.parametrize("kind", ["pipe", "/dev/null", "."])
def test_links_and_pipes_are_refused_even_by_force(name, kind, lines, tmp_path, capsys):
    out = tmp_path / "out"
    if kind == "pipe":
        os.mkfifo(out)
    else:
        out.symlink_to(kind)
    before = out.lstat()
    assert quiet(lines[name], out, "--force") == 1
    assert "cannot write" in capsys.readouterr().err
    assert (out.lstat().st_ino, out.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", [*FILES, *FOLDERS])
def test_devices_are_refused(name, lines, capsys):
    assert quiet(lines[name], "/dev/null", "--force") == 1
    assert "it is a device" in capsys.readouterr().err
    assert not os.path.isfile("/dev/null")


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_replaced_only_with_force(name, lines, tmp_path, capsys):
    out = tmp_path / "out"
    out.write_bytes(b"the user's")
    assert quiet(lines[name], out) == 2
    assert "--force" in capsys.readouterr().err
    assert out.read_bytes() == b"the user's"
    assert quiet(lines[name], out, "--force") == 0
    assert out.stat().st_size > 100


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_something_else_is_left(name, lines, tmp_path, capsys):
    (tmp_path / "model.onnx").write_bytes(b"the user's")
    assert quiet(lines[name], tmp_path) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]
    assert (tmp_path / "model.onnx").read_bytes() == b"the user's"


@pytest.mark.parametrize("name", ["compress", "compare"])
def test_the_same_command_may_write_there_again(name, lines, tmp_path):
    first = tmp_path / "new"
    assert quiet(lines[name], first) in (0, 3)
    assert quiet(lines[name], first) in (0, 3)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "notes.txt").write_text("kept")
    assert quiet(lines[name], tmp_path / "theirs", "--force") in (0, 3)
    assert (tmp_path / "theirs" / "notes.txt").read_text() == "kept"


@pytest.mark.parametrize(
    "part", ["trials.jsonl", "study.toml", "models", "predictions", "lock", "report.html", "best"]
)
def test_a_link_inside_a_study_is_not_followed(part, lines, study, tmp_path, capsys):
    out, outside = tmp_path / "y8", tmp_path / "outside"
    shutil.copytree(study, out)
    (out / part).rename(outside)
    if part in ("models", "predictions"):  # else nothing is left to be written there
        (out / "trials.jsonl").unlink()
    (out / part).symlink_to(outside)
    kept = outside.stat().st_mtime_ns
    code = quiet(lines["run"], out)
    error = capsys.readouterr().err
    if part == "study.toml":  # what has none is no study
        assert (code, "is not empty, and not a study" in error) == (2, True)
    else:
        assert (code, "it is a symbolic link" in error) == (1, True), error
    assert outside.stat().st_mtime_ns == kept
