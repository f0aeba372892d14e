"""The published experiments: what every file of studies/ says can be done, and the short form of C is."""

from __future__ import annotations

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


@pytest.mark.real  # minutes: only `make test-all` runs what is real and slow
@pytest.mark.slow
def test_study_c_in_its_short_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="it learns: the extra [train]")
    out, nowhere = tmp_path / "out", tmp_path / "nowhere"
    words = ["study", str(STUDIES / "short" / "C.toml"), "--root", str(nowhere), "--out", str(out), "--quiet"]
    assert main(words) == 0
    index = read_index(out)
    states = {e.label: e.state for e in index.entries}
    assert states["nanodet-m"] == states["efficientdet-d0-seed43"] == "skipped"
    assert states["demo"] == states["demo-seed43"] == "finished"
    trials = read_parts(out, index)
    assert [t.label for t in trials["demo"]] == ["float", "int8-minmax", "w8a8-pc-minmax+qat-steps20"]
    assert all(t.error is None for found in trials.values() for t in found)
    assert len(index.published[0].figures) == 15
    shown = capsys.readouterr().out
    assert "over 2 trials (seeds 42, 43)" in shown
    assert "nanodet-m: skipped: its model is not there" in shown
