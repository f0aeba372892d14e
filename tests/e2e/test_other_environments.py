"""A study that goes on with another runtime or on another machine measures again and mixes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from paredown import api
from paredown._measure.environment import environment
from paredown.cli import main
from paredown.hosts import open_host
from paredown.study.environments import environment_key
from paredown.study.store import read_apart, read_trials
from paredown.study.trial_log import read_log


def words(toy, out: Path, *more: str) -> list[str]:
    given = ["run", str(toy.model), "--data", str(toy.data), "--calib", str(toy.calib), "--out", str(out)]
    return [*given, "--recipes", "int8-weights", *more]


@pytest.fixture(scope="module")
def study(toy, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("environments") / "study"
    assert main(words(toy, out)) == 0
    return out


def pretend(out: Path, **other: object) -> None:
    """The study as if its trials had been taken in an environment that differs in this."""
    lines = [json.loads(line) for line in (out / "trials.jsonl").read_text().splitlines()]
    for line in lines:
        facts = line["measurement"]["environment"]
        facts |= {k: v for k, v in other.items() if k != "packages"}
        facts["packages"] |= dict(other.get("packages", {}))
    (out / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    toml = (out / "study.toml").read_text().splitlines()
    toml[-1] = f'environment = "{environment_key(lines[0]["measurement"]["environment"])}"'
    (out / "study.toml").write_text("\n".join(toml) + "\n")


def now(out: Path) -> str:
    return environment_key(environment(open_host(), read_trials(out)[0].measurement.environment["threads"]))


def test_another_runtime_is_named_and_everything_is_measured_again(study, toy, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    shutil.copytree(study, out)
    pretend(out, packages={"onnxruntime": "1.20.0"})
    models = {p.name: p.read_bytes() for p in (out / "models").iterdir()}
    assert len(read_trials(out)) == 2  # as it was there
    assert main(words(toy, out, "--budget", "0s")) == 0
    told = capsys.readouterr()
    assert "2 trials of another environment (onnxruntime 1.20.0 -> " in told.err
    assert [t.label for t in read_trials(out)] == ["float"]  # the old one is not ranked
    assert "Other environments" in (out / "report.html").read_text()

    assert main(words(toy, out)) == 0
    told = capsys.readouterr()
    assert "int8-weights: made before, measured again" in told.err
    assert [t.label for t in read_trials(out)] == ["float", "int8-weights"]
    assert {environment_key(t.measurement.environment) for t in read_trials(out)} == {now(out)}
    assert {p.name: p.read_bytes() for p in (out / "models").iterdir()} == models
    assert len(read_log(out).trials) == 4
    assert "Other environments" not in (out / "report.html").read_text()  # every trial was measured again
    assert (api.bundle(out, tmp_path / "ship", "int8-weights") / "model.onnx").is_file()


def test_trials_of_another_machine_can_be_kept_apart(study, toy, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    shutil.copytree(study, out)
    pretend(out, cpu="Cortex-A76")
    recipes = ["--recipes", "int8-minmax", "--keep-other"]
    assert main([*words(toy, out)[:-2], *recipes]) == 0
    told = capsys.readouterr()
    assert "2 trials of another environment (CPU Cortex-A76 -> " in told.err
    assert "kept apart" in told.err
    assert [t.label for t in read_trials(out)] == ["float", "int8-minmax"]
    (other,) = read_apart(out)
    assert [t.label for t in other.trials] == ["float", "int8-weights"]
    page = (out / "report.html").read_text()
    assert "Other environments" in page
    assert "CPU Cortex-A76 -&gt;" in page


def test_without_that_recipes_nobody_named_are_measured_again_too(study, toy, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    shutil.copytree(study, out)
    pretend(out, cpu="Cortex-A76")
    assert main([*words(toy, out)[:-2], "--recipes", "int8-minmax"]) == 0
    assert "made before" not in capsys.readouterr().err  # made for another CPU: made again
    assert [t.label for t in read_trials(out)] == ["float", "int8-minmax", "int8-weights"]
    assert {environment_key(t.measurement.environment) for t in read_trials(out)} == {now(out)}
