"""A whole job and what it ships open no socket, and write nothing outside --out and the temporary folder."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from paredown.hosts.timing_lock import FILE
from paredown.no_telemetry import OPT_OUTS, all_switches, all_unloaded

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted([*ROOT.glob("benchmarks/**/*.py"), *ROOT.glob("tools/**/*.py")])
STRACE = shutil.which("strace")
CALLS = "socket,connect,open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat"
CALLS += ",symlink,symlinkat,unlink,unlinkat,mknod,mknodat,truncate"
EVERYWHERE = ("/dev/", "/proc/", "/sys/")  # files of the system, not of a disk
needs_strace = pytest.mark.skipif(STRACE is None, reason="strace is not installed: apt-get install strace")


def traced(command, folder):
    """The finished process and its trace, in a new home and with a temporary folder of its own."""
    for name in ("home", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    env = {k: v for k, v in os.environ.items() if k not in all_switches()}
    env |= {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"}
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        env.pop(name, None)
    trace = folder / "trace"
    options = ["-f", "-y", "-qq", "--seccomp-bpf", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(trace)]
    line = [STRACE, *options, *command]
    done = subprocess.run(line, env=env, cwd=folder, capture_output=True, text=True, check=False)
    return done, trace.read_text(errors="replace").splitlines()


def sockets(trace):
    return [line for line in trace if re.search(r"\b(socket|connect)\(", line)]


def written(trace):
    """The paths that a process made, changed or removed; relative ones stand in its first folder."""
    found = set()
    for line in trace:
        call = re.search(r"\b(\w+)\(", line)
        if call is None or call[1] in ("socket", "connect") or re.search(r"= -1 E|= \?", line):
            continue
        if call[1].startswith("open") and not re.search(r"O_WRONLY|O_RDWR|O_CREAT", line):
            continue
        found |= {os.path.join(*pair) for pair in re.findall(r'(?:<([^<>]*)>, )?"([^"]*)"', line)}
    return {p for p in found if not p.startswith(EVERYWHERE)}


def outside(paths, folder):
    inside = [str(folder / name) for name in ("out", "tmp")]
    absolute = {os.path.normpath(folder / p) for p in paths}
    return sorted(p for p in absolute if not any(p == i or p.startswith(f"{i}/") for i in inside))


@pytest.fixture(scope="module")
def job(toy, tmp_path_factory):
    """A run that pares, measures in processes of their own, reports and bundles, under strace."""
    if STRACE is None:
        pytest.skip("strace is not installed: apt-get install strace")
    folder = tmp_path_factory.mktemp("job")
    words = [
        "run",
        toy.model,
        "--data",
        toy.data,
        "--calib",
        toy.calib,
        "--recipes",
        "int8",
        "--out",
        "out/y8",
    ]
    (folder / "out").mkdir()
    done, trace = traced([sys.executable, "-m", "paredown", *map(str, words)], folder)
    assert done.returncode in (0, 3), done.stderr
    return folder, trace


@needs_strace
def test_a_run_opens_no_socket(job):
    assert sockets(job[1]) == []


@needs_strace
def test_a_run_writes_into_out_and_the_temporary_folder_only(job):
    folder, trace = job
    paths = written(trace)
    assert any(p.endswith("report.html") for p in paths)
    assert outside(paths, folder) == [os.environ[FILE]]  # one for all runs of a machine, wherever TMPDIR is
    assert list((folder / "home").rglob("*")) == []
    assert list((folder / "tmp").iterdir()) == []


@needs_strace
def test_what_ships_opens_no_socket_and_writes_nothing(job, toy, tmp_path):
    script = job[0] / "out" / "y8" / "best" / "detect.py"
    image = next((toy.data / "images").iterdir())
    (tmp_path / "out").mkdir()
    words = [sys.executable, str(script), str(image), "--save", "out/pictures"]
    done, trace = traced(words, tmp_path)
    assert done.returncode == 0, done.stderr
    assert sockets(trace) == []
    assert outside(written(trace), tmp_path) == []
    assert list((tmp_path / "home").rglob("*")) == []


@needs_strace
def test_these_tests_see_what_they_look_for(tmp_path):
    code = "import socket, pathlib; socket.socket(); pathlib.Path.home().joinpath('left').write_text('')"
    _, trace = traced([sys.executable, "-c", code], tmp_path)
    assert sockets(trace)
    assert outside(written(trace), tmp_path) == [str(tmp_path / "home" / "left")]


def test_every_process_is_silent_before_a_runtime_is_loaded():
    env = {k: v for k, v in os.environ.items() if k not in all_switches()}
    code = f"import sys, os, paredown; assert 'onnxruntime' not in sys.modules; s = {all_switches()!r}"
    code += "; assert {k: os.environ.get(k) for k in s} == s"
    code += "; from paredown.no_telemetry import too_late_for; assert too_late_for() == ()"
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    code = "import onnxruntime, paredown; from paredown._measure.doctor import check"
    code += "; from paredown.targets import target; found = check(target('local'))"
    code += "; told = [f for f in found if 'before paredown' in f.what]; assert told[0].level == 'warn'"
    env |= {"HOME": "/nonexistent"}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)


def test_detect_sets_the_switches_before_its_imports():
    from paredown.deploy.script import detect_script

    text = detect_script("yolov8")
    for name, value in OPT_OUTS["onnxruntime"].items():
        assert 0 < text.index(f'os.environ["{name}"] = "{value}"') < text.index("import onnxruntime")
    text = detect_script("yolov8", "openvino")
    for name in all_unloaded():
        assert 0 < text.index(f'sys.modules["{name}"] = None') < text.index('import_module("openvino")')


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda f: f.name)
def test_scripts_load_no_runtime_before_paredown(file):
    if file.parent.name == "peers":  # started by benchmarks/fresh.py, which sets the switches
        return
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not any(name.split(".")[0] == "onnxruntime" for name in names), file
