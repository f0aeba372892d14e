"""A study over several runtimes: what is tried, what is named as left out, and that the figures compare."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paredown import Options, bundle, run
from paredown._report.trials_csv import trials_csv
from paredown.cli import main
from paredown.errors import MissingDependency, UnknownName
from paredown.runtimes import runtime
from paredown.study.choices import read_choices
from paredown.study.limits import Limits
from paredown.study.options import read_asked
from paredown.study.store import read_trials
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
    with pytest.MonkeyPatch.context() as patched:  # on a toy integers promise nothing: they are tried anyway
        patched.setattr("paredown.study.race.at_best", lambda *given: 0.0)
        assert main([*words, "--threads", "1", "--quiet"]) == 0
    return out


def lines(study: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (study / "trials.jsonl").read_text().splitlines()]


def test_every_trial_has_its_runtime_and_size(study: Path) -> None:
    found = {str(line["label"]): line for line in lines(study)}
    assert set(found) | {c.label for c in read_choices(study)} == {
        *("float", "int8-minmax", f"float@{OTHER}", f"int8-minmax@{OTHER}"),
    }
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


def words(toy: Toy, out: Path, *more: str) -> list[str]:
    given = ["run", str(toy.model), "--data", str(toy.data), "--calib", str(toy.calib), "--out", str(out)]
    return [*given, "--threads", "1", *more]


def test_the_same_command_again_measures_nothing_twice(
    study: Path, toy: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    judged = [line["label"] for line in lines(study) if "map50_95" in str(line["measurement"])]
    more = ("--runtimes", f"onnxruntime,{OTHER}", "--recipes", "int8-minmax", "--max-drop", "100")
    assert main(words(toy, study, *more)) == 0
    told = capsys.readouterr().err
    for label in set(judged) - {"float"}:
        assert f"{label}: measured before, kept" in told
    assert "float model: measured before, kept" in told


def test_the_report_has_a_matrix_and_the_tables_a_runtime_column(study: Path) -> None:
    page = (study / "report.html").read_text(encoding="utf-8")
    assert '<section id="runtimes">' in page
    assert "<th>runtime</th>" in page
    for choice in read_choices(study):
        assert choice.label in page
    head = trials_csv(read_trials(study)).splitlines()[0]
    assert head.startswith("label,recipe,origin,target,runtime,size,seed")


def test_a_runtime_that_refuses_a_recipe_is_a_trial_with_its_reason(
    toy: Toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        runtime("ncnn").version()
    except MissingDependency as error:
        pytest.skip(f"{error.what}: {error.hint}")
    out = tmp_path / "study"
    more = ("--runtimes", "onnxruntime,ncnn", "--recipes", "bf16,int8-weights", "--max-drop", "100")
    assert main(words(toy, out, *more)) in (0, 3)
    failed = {str(line["label"]): str(line["error"]) for line in lines(out) if line["error"] is not None}
    assert "bf16" in failed
    assert "bfloat16" in failed["bf16"]
    assert "bf16 failed: " in capsys.readouterr().out


def test_a_budget_that_is_over_names_what_was_not_tried(toy: Toy, tmp_path: Path) -> None:
    outcome = run(
        toy.model, str(toy.data), str(toy.calib), out=tmp_path / "study", limits=Limits(max_drop=100.0),
        options=Options(runtimes=("onnxruntime", OTHER), recipes="int8-minmax", budget_s=0.0, threads=1),
    )  # fmt: skip
    assert {c.label for c in outcome.left_out} == {"int8-minmax", f"float@{OTHER}", f"int8-minmax@{OTHER}"}
    assert all(c.what == "not tried" and c.why == "the budget ran out" for c in outcome.left_out)
    assert [n for n in outcome.notes if "the budget ran out before" in n]


def test_sizes_are_found_by_halving(toy: Toy, tmp_path: Path) -> None:
    outcome = run(
        toy.model, str(toy.data), str(toy.calib), out=tmp_path / "study", limits=Limits(max_drop=100.0),
        options=Options(sizes="auto", recipes="int8-minmax", threads=1),  # type: ignore[arg-type]
    )  # fmt: skip
    sizes = {t.label: t.size for t in outcome.trials}
    assert sizes["size32"] == sizes["size32+int8-minmax"] == (32, 32)
    assert sizes["int8-minmax"] == (64, 64)
    assert [n for n in outcome.notes if "down to an input of 32 pixels" in n]
    assert "--sizes auto" in (outcome.directory / "facts.json").read_text(encoding="utf-8")


def test_a_bundle_of_any_trial_is_for_its_runtime(study: Path, tmp_path: Path) -> None:
    """`best/` is the winner's; another trial is bundled by its label."""
    best = bundle(study, tmp_path / "best")
    assert {p.name for p in best.iterdir()} >= {p.name for p in (study / "best").iterdir()}
    other = bundle(study, tmp_path / "other", f"int8-minmax@{OTHER}")
    assert {p.name for p in other.iterdir()} >= {"model.xml", "model.bin", "int8-minmax.onnx", "detect.py"}
    plain = bundle(study, tmp_path / "plain", "int8-minmax")
    assert not (plain / "model.xml").exists()
    assert (plain / "model.onnx").is_file()
