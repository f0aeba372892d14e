"""`compress` with limits: handed to the step that chooses by them, refused where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from paredown._compress.presets import parse_recipe
from paredown.cli import main
from paredown.study.limits import Limits
from toys import Toy


def compressing(toy: Toy, recipe: str, out: Path) -> list[str]:
    return ["compress", str(toy.model), "--recipe", recipe, "--calib", str(toy.calib), "--out", str(out)]


def test_limits_reach_the_step(toy: Toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = compressing(toy, "mixed", tmp_path)
    assert main([*words, "--min-agreement", "20", "--max-size", "0.1", "--threads", "1", "--quiet"]) == 0
    assert "cle+gates+mix-mb0.1-agree20" in capsys.readouterr().out
    assert (tmp_path / "model.onnx").stat().st_size <= 100_000


def test_points_are_refused_where_there_is_no_truth_to_choose_by(
    toy: Toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*compressing(toy, "mixed", tmp_path / "out"), "--max-drop", "0.5"]) == 2
    said = capsys.readouterr().err
    assert "the images have no truth" in said
    assert "hint: --min-agreement 94" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("recipe", "taken"), [("mixed", True), ("mix-drop0.3", False), ("int8", False)])
def test_a_limit_that_is_the_default_is_a_limit(recipe: str, taken: bool) -> None:
    assert Limits(max_drop=0.5).taken_by(parse_recipe(recipe)) == taken


def test_a_recipe_that_chooses_nothing_refuses_limits(
    toy: Toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = compressing(toy, "int8", tmp_path)
    assert main([*words, "--max-drop", "1"]) == 2
    assert "chooses by limits" in capsys.readouterr().err


def test_a_recipe_that_learns_nothing_refuses_images_to_learn_from(
    toy: Toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = compressing(toy, "int8", tmp_path)
    assert main([*words, "--learn-from", str(toy.calib)]) == 2
    assert "no step of these recipes learns" in capsys.readouterr().err
    asked = [
        "run",
        str(toy.model),
        "--data",
        str(toy.data),
        "--recipes",
        "int8",
        "--out",
        str(tmp_path / "run"),
    ]
    assert main([*asked, "--learn-from", str(toy.calib)]) == 2
    assert "no step of these recipes learns" in capsys.readouterr().err
