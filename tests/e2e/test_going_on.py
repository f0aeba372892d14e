"""What a stopped study says is what goes on with it; what was asked besides the recipes is remembered."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from paredown.cli import main
from paredown.errors import UsageError
from paredown.job import run
from paredown.study.options import Asked, Options
from paredown.study.store import read_trials
from paredown.toml import toml_text


def wait_for_a_trial(out: Path, process: subprocess.Popen[str], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not ((out / "trials.jsonl").exists() and (out / "trials.jsonl").stat().st_size):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def printed_command(errors: str) -> list[str]:
    """The command that a stopped study says goes on, to be run by this Python."""
    line = next(line for line in errors.splitlines() if line.strip().startswith("paredown "))
    return [sys.executable, "-m", *shlex.split(line)]


def test_a_study_stopped_in_another_directory_goes_on_there(toy, tmp_path) -> None:
    asked = Asked(str(toy.model), str(toy.data), str(toy.calib), options=Options(recipes=("int8-weights",)))
    file, out = tmp_path / "my study.toml", tmp_path / "else where"
    file.write_text(toml_text(asked.tables()))
    command = [sys.executable, "-m", "paredown", "study", str(file), "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for_a_trial(out, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert f"1 finished trial kept in {out}" in errors
    again = subprocess.run(printed_command(errors), capture_output=True, text=True, timeout=120, check=False)
    assert again.returncode == 0, again.stderr
    assert "float model: measured before, kept" in again.stderr
    assert [t.label for t in read_trials(out)] == ["float", "int8-weights"]
    assert not (tmp_path / "trials.jsonl").exists()


def test_other_images_to_learn_from_are_another_setting(toy, tmp_path) -> None:
    def study(learn_from: Path | None) -> None:
        options = Options(
            recipes=("int8-weights",),
            search=1,
            budget_s=0.0,
            learn_from=None if learn_from is None else str(learn_from),
        )
        run(toy.model, str(toy.data), str(toy.calib), out=tmp_path / "out", options=options)

    more = tmp_path / "more"
    shutil.copytree(toy.calib / "images", more)
    study(more)
    study(more)
    next(more.iterdir()).unlink()
    with pytest.raises(UsageError, match="learned_from"):
        study(more)
    with pytest.raises(UsageError, match="learned_from"):
        study(None)


def test_a_board_described_in_a_file_is_timed(toy, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my-board.toml").write_text('summary = "the board on my desk"\nthreads = 1\n')
    words = ["run", str(toy.model), "--data", str(toy.data), "--calib", str(toy.calib), "--out", "out"]
    words += ["--target", "my-board.toml", "--recipes", "int8-weights"]
    assert main(words) == 0
    for trial in read_trials(Path("out")):
        assert trial.error is None
        assert trial.target == "my-board"
        assert trial.measurement.value("latency_s") > 0
        assert trial.measurement.environment["threads"] == 1  # the board's, as was used
    Path("my-board.toml").write_text('summary = "the board on my desk"\nthreads = 2\n')
    assert main(words) == 2  # another board of the same name


def test_recipes_that_need_torch_are_refused_before_any_work_where_there_is_none(toy, tmp_path) -> None:
    out = tmp_path / "out"
    code = "import sys; sys.modules['torch'] = None; from paredown.cli import main; sys.exit(main())"
    words = ["run", str(toy.model), "--data", str(toy.data), "--out", str(out), "--recipes", "int8,pruned"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'paredown[train]'" in done.stderr
    assert not out.exists()


def test_where_every_recipe_fails_the_exit_code_says_so_and_the_report_is_there(
    toy, tmp_path, monkeypatch, capsys
) -> None:
    from paredown.errors import CalibrationError
    from paredown.study import trial as loop

    def failing(*args: object, **more: object) -> None:
        raise CalibrationError("the tensor 'x' holds nan")

    monkeypatch.setattr(loop, "compress", failing)
    out = tmp_path / "out"
    words = ["run", str(toy.model), "--data", str(toy.data), "--calib", str(toy.calib), "--out", str(out)]
    assert main([*words, "--recipes", "int8,int8-weights"]) == 1
    assert "int8 failed: the tensor 'x' holds nan" in capsys.readouterr().out
    assert (out / "report.html").is_file()
    assert main([*words, "--recipes", "int8", "--max-drop", "1"]) == 1  # no gate was judged
