"""Study files travel: no absolute path, user or host name is in them, and the study still goes on."""

from __future__ import annotations

import json
import platform
import shutil
from pathlib import Path

import pytest

from paredown.cli import main
from paredown.study.index import read_index
from paredown.study.store import read_study, read_trials
from paredown.study.trial_log import read_log

TEXTS = (".toml", ".json", ".jsonl", ".html", ".md", ".txt", ".py")


def texts_below(folder: Path) -> dict[str, str]:
    files = [p for p in folder.rglob("*") if p.suffix in TEXTS]
    assert {"study.toml", "facts.json", "trials.jsonl", "report.html"} <= {p.name for p in files}
    return {str(p.relative_to(folder)): p.read_text(encoding="utf-8") for p in files}


@pytest.fixture
def alice(toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user whose name is nowhere else; model and data lie in it."""
    home = tmp_path / "home" / "alice-the-user"
    home.mkdir(parents=True)
    shutil.copy(toy.model, home / "net.onnx")
    shutil.copytree(toy.data, home / "pictures")
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.mark.parametrize("where", ["home", "elsewhere"])
def test_nothing_of_this_machine_is_written(alice: Path, tmp_path: Path, monkeypatch, where: str) -> None:
    place = alice if where == "home" else tmp_path / "work"
    place.mkdir(exist_ok=True)
    monkeypatch.chdir(place)
    words = [
        "run",
        str(alice / "net.onnx"),
        "--data",
        f"coco:{alice / 'pictures'}",
        "--out",
        str(place / "out"),
    ]
    words += ["--recipes", "int8-weights,int8-dynamic"]
    assert main(words) == 0
    for name, text in texts_below(place / "out").items():
        for private in (str(tmp_path), "alice-the-user", str(Path.home())):
            assert private not in text, name
        if len(platform.node()) > 6:  # a short host name may be a part of any word
            assert platform.node() not in text, name
    asked = read_study(Path("out"))["asked"]
    names = ("net.onnx", "coco:pictures")
    assert (asked["model"], asked["data"]) == names
    assert (
        " ".join(["paredown run net.onnx --data coco:pictures"])
        in (place / "out" / "report.html").read_text()
    )
    assert main(words) == 0  # goes on with the same --out
    assert len(read_trials(Path("out"))) == 3


def test_an_error_that_names_a_path_is_kept_without_it(alice: Path, tmp_path: Path, monkeypatch) -> None:
    from paredown.errors import CalibrationError
    from paredown.study import trial as loop

    def failing(*args: object, **more: object) -> None:
        raise CalibrationError(f"cannot read {str(alice / 'pictures' / 'x.png')!r} or {tmp_path / 'out'}")

    monkeypatch.setattr(loop, "compress", failing)
    monkeypatch.chdir(tmp_path)
    words = ["run", str(alice / "net.onnx"), "--data", str(alice / "pictures"), "--out", "out"]
    assert main([*words, "--recipes", "int8"]) == 1
    failed = read_trials(Path("out"))[1]
    assert failed.error == "cannot read 'pictures/x.png' or out"


def test_a_study_whose_paths_lay_elsewhere_is_told_where_they_are(
    alice: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    words = ["run", str(alice / "net.onnx"), "--data", str(alice / "pictures"), "--recipes", "int8-weights"]
    assert main([*words, "--out", "out"]) == 0
    again = ["study", "out/study.toml", "--resume"]
    capsys.readouterr()
    assert main(again) == 2
    assert "--model" in capsys.readouterr().err
    found = ["--model", str(alice / "net.onnx"), "--data", str(alice / "pictures")]
    assert main([*again, *found]) == 0
    assert "int8-weights: measured before, kept" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["../secret.onnx", "models/../../secret.onnx", "/etc/passwd", "models/..", "a.onnx"]
)
def test_a_strangers_study_names_no_file_outside_of_it(toy, tmp_path: Path, monkeypatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["run", str(toy.model), "--data", str(toy.data), "--recipes", "int8-weights", "--out", "out"]
    assert main(words) == 0
    shutil.copy(toy.model, "secret.onnx")
    file = Path("out/trials.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[1]["model_file"] = name
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [t.label for t in read_trials(Path("out"))] == ["float"]
    assert "line 2" in read_log(Path("out")).notes[0]
    assert "no model of the study" in read_log(Path("out")).notes[0]


def test_a_strangers_study_reaches_no_file_by_a_link(toy, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["run", str(toy.model), "--data", str(toy.data), "--recipes", "int8-weights", "--out", "out"]
    assert main(words) == 0
    Path("out/models").rename("models")
    Path("out/models").symlink_to(Path("models").absolute())
    assert main(words) == 1


PLAN = """
[study]
data = "coco:{home}/pictures"
recipes = ["int8-weights"]
target = "raspberry-pi-5"

[[models]]
model = "{home}/net.onnx"

[[models]]
model = "{home}/broken.onnx"
"""


def test_a_study_of_several_models_says_nothing_of_this_machine(alice: Path, tmp_path: Path) -> None:
    (alice / "broken.onnx").write_bytes(b"no model")
    plan, out = alice / "plan.toml", tmp_path / "out"
    plan.write_text(PLAN.format(home=alice))
    words = ["study", str(plan), f"--root={alice}", "--out", str(out), "--quiet", "--resume"]
    assert main(words) == 0
    for name, text in texts_below(out).items():
        for private in (str(tmp_path), "alice-the-user"):
            assert private not in text, name
    index = read_index(out)
    assert index.command == "paredown study plan.toml '--root=~' --out out --quiet --resume"
    assert [e.state for e in index.entries] == ["finished", "failed"]
    again = ["study", str(out / "study.toml"), "--root", str(alice), "--quiet", "--resume"]
    assert main(again) == 0
    assert [e.state for e in read_index(out).entries] == ["finished", "failed"]
