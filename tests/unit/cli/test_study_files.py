"""What a study file names is there, or is asked for by name, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

import toys
from paredown.cli import main
from paredown.experiment import _missing
from paredown.study.options import Asked

ASKED = "[asked]\nmodel = {model!r}\ndata = 'photos'\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    toys.write_images(tmp_path / "photos", 4, 1)
    (tmp_path / "net.py").write_text("def make():\n    raise ValueError('made')\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("model", ["net.py:make", "net.py"])
def test_a_module_of_pytorch_is_a_model_that_is_there(
    folder: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _missing(Asked(model, "photos")) == ""
    (folder / "study.toml").write_text(ASKED.format(model=model))
    main(["study", "study.toml", "--out", "made"])
    assert "nothing says the input of net.py" in capsys.readouterr().err  # it was found, and asked


def test_one_that_is_not_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "its model is not there: nett.py:make" in _missing(Asked("nett.py:make", "photos"))
    assert "its data is not there: phots" in _missing(Asked("net.py:make", "phots"))
    assert _missing(Asked("net.py", "plain:photos")) == ""
    (folder / "study.toml").write_text(ASKED.format(model="nett.py:make"))
    assert main(["study", "study.toml", "--out", "made"]) == 2
    assert "names the model 'nett.py:make', which is not there" in capsys.readouterr().err


def test_no_trials_are_no_study(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "study.toml", "--trials", "0"]) == 2
    assert "argument --trials: '0' is no whole number above zero" in capsys.readouterr().err
