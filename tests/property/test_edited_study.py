"""Whatever somebody does to a study's files, they are read or refused; no other exception ever comes out."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paredown._report.write import render
from paredown.errors import ParedownError
from paredown.job import judge, run
from paredown.report_data import read_story
from paredown.study.environments import TrialKey
from paredown.study.options import Options, read_asked
from paredown.study.store import Store, read_study, read_trials

VALUES = st.sampled_from(
    [
        None, True, False, 0, -1, 1, 10**400, 1e308, -0.0, "", "x", "nan", "\ud800", "<script>", "../../etc",
        [], [None], [[]], {}, {"$float": "nan"}, {"$float": "inf"}, {"$float": []}, {"a": {}}, [1, "x"],
        [0.0] * 500, "x" * 10_000, "measured", "lower", "float", -1e-300, [1e308, -1e308], {"": 0},
    ]
)  # fmt: skip
TOKENS = st.sampled_from(
    ['-1', 'nan', 'inf', '-inf', '[]', '[1, "x"]', '"x"', '{}', '1e400', '9' * 30, 'true', '[' * 5000, '"""',
     '1979-05-27', '0', '0.5', '"\\ud800"', '""', '["int8"]', '"\\u0000"', '"float"']
)  # fmt: skip


@pytest.fixture(scope="module")
def study(toy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("edited") / "study"
    run(toy.model, str(toy.data), str(toy.calib), out=out, options=Options(recipes=("int8", "int8-weights")))
    lines = (out / "trials.jsonl").read_text().splitlines()
    (out / "trials.jsonl").write_text("".join(f"{json.dumps(short(json.loads(line)))}\n" for line in lines))
    return out


def short(value: Any) -> Any:
    """The value with few of every long list: what is read is the same, faster."""
    if isinstance(value, dict):
        return {key: short(v) for key, v in value.items()}
    return [short(v) for v in value[:4]] if isinstance(value, list) else value


@pytest.fixture
def copy(study: Path, tmp_path: Path) -> Path:
    shutil.copytree(study, tmp_path / "copy")
    return tmp_path / "copy"


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to every part of a JSON value, few of every long list."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))[:3]
    return [path, *(p for key, v in inner for p in places(v, (*path, key)))]


def edited(value: Any, draw: Any) -> Any:
    """A copy with one part replaced, deleted or added to."""
    path = draw(st.sampled_from(places(value)))
    if not path:
        return draw(VALUES)
    copy = json.loads(json.dumps(value))
    parent = copy
    for key in path[:-1]:
        parent = parent[key]
    what = draw(st.sampled_from(["replace", "replace", "replace", "delete", "add"]))
    if what == "delete":
        del parent[path[-1]]
    elif what == "add" and isinstance(parent, dict):
        parent["more"] = draw(VALUES)
    else:
        parent[path[-1]] = draw(VALUES)
    return copy


def read_all(directory: Path) -> None:
    """Everything that reads a study, each in its turn; only errors of our own tree may come out."""
    for read in (
        lambda: judge(directory),
        lambda: render(read_story(directory)),
        lambda: read_asked(directory / "study.toml"),
        lambda: resume(directory),
    ):
        with contextlib.suppress(ParedownError):
            read()


def resume(directory: Path) -> None:
    with Store(directory) as store:
        store.finished(TrialKey("int8", "sha", "local", 0))
        asked = read_asked(directory / "study.toml")
        store.settle(asked.tables(), read_study(directory).get("settings", {}), {})
        store.apart({})


many = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(st.data())
def test_an_edited_trial_is_read_or_left_out_and_the_others_stay(copy: Path, study: Path, data: Any) -> None:
    lines = (study / "trials.jsonl").read_text().splitlines()
    which = data.draw(st.integers(0, len(lines) - 1))
    line = json.dumps(edited(json.loads(lines[which]), data.draw))
    (copy / "trials.jsonl").write_text("\n".join([*lines[:which], line, *lines[which + 1 :]]) + "\n")
    (copy / "study.toml").write_bytes((study / "study.toml").read_bytes())
    others = {t.label for i, t in enumerate(read_trials(study)) if i != which}
    assert others <= {t.label for t in read_trials(copy)}
    if which:  # the float model is still there: there is a report, whatever one trial says
        assert "</html>" in render(read_story(copy))
    read_all(copy)


@many
@given(st.data())
def test_edited_facts_are_read_or_refused(copy: Path, study: Path, data: Any) -> None:
    facts = json.loads((study / "facts.json").read_text())
    (copy / "facts.json").write_text(json.dumps(edited(facts, data.draw)))
    read_all(copy)


@many
@given(st.data())
def test_an_edited_study_file_is_read_or_refused(copy: Path, study: Path, data: Any) -> None:
    lines = (study / "study.toml").read_text().splitlines()
    which = data.draw(st.integers(0, len(lines) - 1))
    token = data.draw(TOKENS)
    change = data.draw(st.sampled_from(["value", "key", "delete", "double", "table"]))
    line = {
        "value": re.sub(r"=.*", lambda m: f"= {token}", lines[which]),
        "key": f"other = {token}",
        "delete": "",
        "double": f"{lines[which]}\n{lines[which]}",
        "table": f"[{token}]",
    }[change]
    (copy / "study.toml").write_text("\n".join([*lines[:which], line, *lines[which + 1 :]]) + "\n")
    read_all(copy)


@pytest.mark.parametrize("name", ["trials.jsonl", "facts.json", "study.toml"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"\xff\xfe\x00",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"null\n",
        b"NaN\n",
        b"0" * 10_000 + b"\n",
    ],
    ids=["empty", "blank", "bytes", "deep list", "deep table", "null", "nan", "long number"],
)
def test_files_of_something_else_are_refused(copy: Path, name: str, content: bytes) -> None:
    (copy / name).write_bytes(content)
    read_all(copy)
