"""The published experiments: what every file of studies/ says can be done, and the short form of C is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paredown.analyze.against_float import FLOAT
from paredown.cli import main
from paredown.study.index import read_index, read_parts
from paredown.study.pairs import label_of
from paredown.study.plan_file import read_plan
from paredown.study.todo import named_recipes

STUDIES = Path(__file__).parents[2] / "studies"
FILES = sorted(STUDIES.rglob("*.toml"))


def test_there_are_five_and_their_short_forms() -> None:
    assert [str(f.relative_to(STUDIES)) for f in FILES] == [
        *(f"{name}.toml" for name in "ABCDE"),
        *(f"short/{name}.toml" for name in "ABCDE"),
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(STUDIES)))
def test_published_figures_stand_beside_what_the_study_tries(file: Path) -> None:
    pytest.importorskip("torch", reason="some of the recipes learn: the extra [train]")
    plan = read_plan(file)
    tried = {}
    for part in plan.parts():
        asked = plan.asked(part)
        tried[part.model.label] = {FLOAT, *map(label_of, named_recipes(asked.options, asked.limits).values())}
    short = file.parent.name == "short"  # its recipes are others: figures may stand alone
    for source in plan.published:
        assert source.differs
        for row in source.figures:
            assert not row.recipe or short or row.recipe in tried[row.model], row


@pytest.mark.real
@pytest.mark.timeout(600)
def test_study_c_in_its_short_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In every test run: models at hand, three recipes, statistics, what was published beside it."""
    pytest.importorskip("torch", reason="it learns: the extra [train]")
    out, root = tmp_path / "out", os.environ.get("PAREDOWN_MATERIAL", str(tmp_path / "nowhere"))
    words = ["study", str(STUDIES / "short" / "C.toml"), "--root", root, "--out", str(out), "--quiet"]
    assert main(words) in (0, 3)  # 3: two dozen images may say that a limit is not met
    index = read_index(out)
    states = {e.label: e.state for e in index.entries}
    assert states["efficientdet-d0"] == states["efficientdet-d0-seed43"] == "skipped"
    here = {"demo": ["float", "int8-minmax", "w8a8-pc-minmax+qat-steps2"]}
    if "PAREDOWN_MATERIAL" in os.environ:
        here["nanodet-m"] = ["float", "int8-minmax", "int8-weights"]
    trials = read_parts(out, index)
    for model, recipes in here.items():
        for label in (model, f"{model}-seed43"):
            assert states[label] == "finished"
            assert [t.label for t in trials[label]] == recipes
            assert all(t.error is None and t.measurement is not None for t in trials[label])
    shown = capsys.readouterr().out
    assert "over 2 trials (seeds 42, 43)" in shown
    assert "efficientdet-d0: skipped: its model is not there" in shown
    page = (out / "report.html").read_text(encoding="utf-8")
    for words in ("Published beside measured", "Over several trials", "Jetson Nano there"):
        assert words in page
    assert all((out / e.folder / "best" / "detect.py").is_file() for e in index.entries if e.has_report)
