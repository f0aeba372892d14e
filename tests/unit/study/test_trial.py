"""A trial in three functions: what is made and judged in another process is what is made and judged here."""

from __future__ import annotations

import json
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Compressed, Recipe
from paredown.errors import TargetError, UnsupportedModel, UsageError
from paredown.measurement import Readings, Trial
from paredown.preparing import prepare_work
from paredown.study import units
from paredown.study.environments import TrialKey, trial_key
from paredown.study.options import Asked, Options
from paredown.study.private import hiding
from paredown.study.records import from_line, to_line
from paredown.study.store import Store
from paredown.study.trial import Judged, judge, make, time
from paredown.study.work import Work
from paredown.targets import Target


@pytest.fixture(scope="module")
def work(toy: Any) -> Work:
    model, data, calib = toy.model, str(toy.data), str(toy.calib)
    told: list[str] = []
    options = Options(threads=1)
    prepared = prepare_work(model, data, calib, options, lambda items, what, total=None: items, told.append)
    asked = Asked(str(model), data, calib, options=options)
    return replace(prepared, hide=hiding(asked, toy.model.parent / "study"))


def elsewhere(function: Any, *given: Any) -> Any:
    """The answer of a fresh process, which inherits nothing of this one."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *given).result()


def made_and_judged(work: Work, recipe: Recipe, folder: Path, reference: Any) -> tuple[Compressed, Judged]:
    made = make(work, recipe, folder)
    return made, judge(work, made.model, reference)


def test_another_process_makes_and_judges_the_same(work: Work, tmp_path: Path) -> None:
    recipe = parse_recipe("w8a8-pc-mse+bc")  # no step of it times anything
    floats = judge(work, work.model, None)
    here, found = made_and_judged(work, recipe, tmp_path, floats.predictions)
    sent = work.sendable()
    there, told = elsewhere(made_and_judged, sent, recipe, tmp_path, floats.predictions)
    assert there.model.sha256 == here.model.sha256
    assert there.log == here.log
    assert [(q.name, q.value, q.samples) for q in told.readings.quantities if q.unit != "s"] == [
        (q.name, q.value, q.samples) for q in found.readings.quantities if q.unit != "s"
    ]
    assert told.readings.curves == found.readings.curves
    for one, other in zip(told.predictions, found.predictions, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)


def test_a_work_travels_without_those_who_watch_it(work: Work) -> None:
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        pickle.dumps(replace(work, say=lambda text: None))
    sent = pickle.loads(pickle.dumps(work.sendable()))
    assert sent.settings() == work.settings()
    assert sent.hide(f"{Path.home()}/model.onnx") == "model.onnx"
    assert pickle.loads(pickle.dumps(sent.trial("w8a8", "int8"))) == work.trial("w8a8", "int8")


def refusing(work: Work) -> None:
    raise UnsupportedModel("no convolution", got="0", expected="at least one", hint="another model")


def test_what_stopped_another_process_is_told_here(work: Work) -> None:
    with pytest.raises(UnsupportedModel) as told:
        elsewhere(refusing, work.sendable())
    assert (told.value.what, told.value.hint) == ("no convolution", "another model")


def test_only_time_asks_the_host_to_run_something(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Busy:
        """A host on which nothing may be started now."""

        name, times = "local", True

        def with_modules(self, modules: object) -> Any:
            return self

        def __getattr__(self, name: str) -> Any:
            if name == "spawn":
                raise TargetError("the host is busy")
            return getattr(work.bench.target.host, name)

    target: Target = replace(work.bench.target, host=Busy())
    alone = replace(work, bench=replace(work.bench, target=target))
    floats = judge(alone, alone.model, None)
    made = make(alone, parse_recipe("int8-weights"), tmp_path)
    judged = judge(alone, made.model, floats.predictions)
    assert "latency" not in judged.readings.seconds
    file = tmp_path / "model.onnx"
    file.write_bytes(made.model.data)
    with pytest.raises(TargetError, match="the host is busy"):
        time(alone, made.model, file, file, judged)
    left_out = time(alone, made.model, file, file, judged, lambda quantities: "it lost too much")
    assert [d.text for d in left_out.doubts] == ["not timed: it lost too much"]


def test_parts_make_one_measurement_in_their_order(work: Work) -> None:
    floats = judge(work, work.model, None)
    timed = Readings(curves={"memory_bytes": (1.0,)})
    measured = work.bench.measurement(work.model, floats.readings, timed)
    assert measured.quantities[0].name == "size_bytes"
    assert measured.value("size_bytes") == work.model.size_bytes
    assert measured.curves["memory_bytes"] == (1.0,)
    assert "confidence_histogram" in measured.curves


def test_a_trial_knows_its_model_runtime_size_and_host(work: Work) -> None:
    trial = work.trial("w8a8", "int8")
    assert (trial.model, trial.runtime, trial.size, trial.host) == ("toy", "onnxruntime", (64, 64), "local")
    assert from_line(to_line(trial)) == trial
    assert trial_key(trial) == work.key("w8a8")
    for other in (replace(trial, runtime="openvino"), replace(trial, host="ssh:board")):
        assert trial_key(other) != trial_key(trial)


@pytest.mark.parametrize(("target", "runtime"), [("local", "onnxruntime"), ("reference", "reference")])
def test_a_line_of_an_older_study_is_the_same_trial(target: str, runtime: str) -> None:
    line = json.loads(to_line(Trial("w8a8", "int8", "sha", None, target, 0, None)))
    for new in ("model", "runtime", "size", "host"):
        del line[new]
    read = from_line(json.dumps(line))
    assert trial_key(read) == TrialKey("w8a8", "sha", target, 0, runtime, "local")
    assert read.size is None
    with pytest.raises(ValueError, match=r"size is .*not a list of 2"):
        from_line(json.dumps({**line, "size": [1, 2, 3]}))


def test_a_segment_study_of_older_rules_is_not_gone_on_with(work: Work, tmp_path: Path) -> None:
    card = replace(work.bench.card, task="segment")
    segments = replace(work, bench=replace(work.bench, card=card)).settings()
    with Store(tmp_path) as store:
        store.settle({}, {name: value for name, value in segments.items() if name != "rules"})
        with pytest.raises(UsageError, match="other settings") as told:
            store.settle({}, segments)
    assert told.value.got == "rules = 2"
    assert work.settings()["rules"] is None


def test_a_judge_on_another_machine_than_the_one_that_times_is_a_doubt(work: Work) -> None:
    here = work.bench.environment()
    same = units.judge(work, None, Recipe(), work.model, here)
    assert "target" not in [d.kind for d in same.readings.doubts]
    other = units.judge(work, same.predictions, Recipe(), work.model, {**here, "cpu": "another"})
    doubt = next(d for d in other.readings.doubts if d.kind == "target")
    assert "CPU another -> " in doubt.text
