"""A study over several runtimes: what is tried, what is named as left out, and that the figures compare."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paredown import Options, run
from paredown.cli import main
from paredown.errors import MissingDependency, UnknownName
from paredown.runtimes import runtime
from paredown.study.limits import Limits
from paredown.study.options import read_asked
from toys import Toy

OTHER = "openvino"


@pytest.fixture(scope="module")
def study(toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study in two runtimes, as the command line makes it."""
    try:
        runtime(OTHER).version()
    except MissingDependency as error:
        pytest.skip(f"{error.what}: {error.hint}")
    out = tmp_path_factory.mktemp("runtimes") / "study"
    words = ["run", str(toy.model), "--data", str(toy.data), "--calib", str(toy.calib), "--out", str(out)]
    words += ["--runtimes", f"onnxruntime,{OTHER}", "--recipes", "int8-minmax", "--max-drop", "100"]
    assert main([*words, "--threads", "1", "--quiet"]) == 0
    return out


def lines(study: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (study / "trials.jsonl").read_text().splitlines()]


def test_every_trial_has_its_runtime_and_size(study: Path) -> None:
    found = {str(line["label"]): line for line in lines(study)}
    assert set(found) == {"float", "int8-minmax", f"float@{OTHER}", f"int8-minmax@{OTHER}"}
    for label, line in found.items():
        assert line["runtime"] == (OTHER if label.endswith(OTHER) else "onnxruntime")
        assert line["size"] == [64, 64]
        assert line["error"] is None
    assert (found["float@openvino"]["recipe"], found["float"]["recipe"]) == ("float", "float")


def test_what_was_asked_comes_back_from_the_study(study: Path) -> None:
    assert read_asked(study / "study.toml").options.runtimes == ("onnxruntime", OTHER)


def test_a_runtime_that_is_not_installed_is_refused_by_name_and_named_with_all(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> str:
        raise MissingDependency("ncnn", "ncnn", "the runtime ncnn")

    monkeypatch.setattr(runtime("ncnn"), "version", missing)
    given = (toy.model, str(toy.data), str(toy.calib))
    with pytest.raises(MissingDependency, match=r"paredown\[ncnn\]"):
        run(*given, out=tmp_path / "a", options=Options(runtimes=("ncnn",)))
    with pytest.raises(UnknownName, match="did you mean 'openvino'"):
        run(*given, out=tmp_path / "a", options=Options(runtimes=("openvin",)))
    options = Options(runtimes="all", recipes="int8-weights", threads=1)
    outcome = run(*given, out=tmp_path / "b", options=options, limits=Limits(max_drop=100.0))
    assert [n for n in outcome.notes if "ncnn" in n and "paredown[ncnn]" in n]
    assert "ncnn" not in {t.runtime for t in outcome.trials}
    assert {"reference", "null"}.isdisjoint(t.runtime for t in outcome.trials)
