"""Reading recipes: presets, spelled names, files."""

from __future__ import annotations

from pathlib import Path

import pytest

from paredown._compress.presets import DEFAULT_RECIPES, PRESETS, STOCK, parse_recipe
from paredown._compress.quantize.static import Static
from paredown._compress.quantize.weight_only import WeightOnly
from paredown._compress.recipe import Recipe
from paredown._compress.steps import STEPS
from paredown.errors import UnknownName, UsageError


def test_spelled_names() -> None:
    assert parse_recipe("w8a8") == Recipe((Static(),))
    assert (
        parse_recipe("w8a8-pt-entropy")
        == parse_recipe("w8a8-entropy-pt")
        == Recipe((Static("pt", "entropy"),))
    )
    assert parse_recipe("w8a8 + w8-pt").steps == (Static(), WeightOnly("pt"))
    assert parse_recipe("float") == Recipe()
    assert Recipe().name == "float"


def test_presets_are_spelled_recipes() -> None:
    for preset, (spelled, why) in PRESETS.items():
        assert parse_recipe(preset) == parse_recipe(spelled)
        assert why
    assert set(DEFAULT_RECIPES) <= set(PRESETS)
    assert set(STEPS) >= STOCK


def test_presets_may_be_parts_of_a_name() -> None:
    assert parse_recipe("prune30+int8-qat").name == f"prune30-taylor+{parse_recipe('int8-qat').name}"


@pytest.mark.parametrize(
    ("typo", "meant"), [("in8", "int8"), ("int8-dinamic", "int8-dynamic"), ("w8a9", "w8a8")]
)
def test_did_you_mean(typo: str, meant: str) -> None:
    with pytest.raises(UnknownName, match="unknown recipe") as caught:
        parse_recipe(typo)
    assert f"'{meant}'" in str(caught.value.hint)
    assert caught.value.exit_code == 2


def test_an_unknown_step_among_known_ones() -> None:
    with pytest.raises(UnknownName, match="unknown step 'w8a9'"):
        parse_recipe("w8+w8a9")


@pytest.mark.parametrize(
    "text", ["w8a8-pq", "w8a8-", "w8a8-pc-pt", "w8a8-pc-pc", "w8a8--pc", "w8a8+", "", "+", "dynamic-pc"]
)
def test_words_that_do_not_fit(text: str) -> None:
    with pytest.raises(UsageError):
        parse_recipe(text)


def test_the_words_that_would_fit_are_told() -> None:
    with pytest.raises(UsageError, match="'pq'") as caught:
        parse_recipe("w8a8-pq")
    assert "percentile" in str(caught.value.expected)


@pytest.mark.parametrize(
    "text", ['recipe = "w8a8-pt+w8"', 'steps = ["w8a8-pt", "w8"]', 'name = "x"\nsteps = ["w8a8-pt", "w8"]']
)
def test_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    assert parse_recipe(str(path)) == parse_recipe("w8a8-pt+w8")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "recipe = 3",
        "steps = []",
        'steps = "w8"',
        "steps = [1]",
        'stepz = ["w8"]',
        "recipe = [",
        'recipe = "mine.toml"',
    ],
)
def test_files_that_are_no_recipe(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(text)
    with pytest.raises(UsageError, match=r"mine\.toml"):
        parse_recipe("mine.toml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        parse_recipe(str(tmp_path / "absent.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="no TOML"):
        parse_recipe(str(tmp_path / "binary.toml"))
