"""A study that was stopped has the evidence of every trial that it finished, and a report."""

from __future__ import annotations

from pathlib import Path

import pytest

from paredown import api, job
from paredown.report_data.later import compare_later
from paredown.study.evidence import read_kept
from paredown.study.options import Options
from paredown.study.store import read_trials
from toys import Toy


def test_it_is_there_before_the_end(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "conclude", stop)
    options = Options(recipes=("int8-minmax", "w2a8-pc-mse-all"), timing_s=0.05, threads=1)
    with pytest.raises(KeyboardInterrupt):
        api.run(toy.model, str(toy.data), str(toy.calib), out=tmp_path / "out", options=options)
    trials = read_trials(tmp_path / "out")
    assert [t.label for t in trials] == ["float", "int8-minmax", "w2a8-pc-mse-all"]
    kept = read_kept(tmp_path / "out", trials)
    assert len(kept) == 3
    assert len({k.same for k in kept.values()}) == 1
    assert compare_later(tmp_path / "out", "float", "w2a8-pc-mse-all").statistics is not None
    page = api.report(tmp_path / "out").read_text(encoding="utf-8")
    assert "w2a8-pc-mse-all" in page
