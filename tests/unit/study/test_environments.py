"""Trials of two machines or runtimes never stand in one ranking; coming back finds one's own again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from paredown._measure.environment import environment
from paredown.analyze.against_float import baseline_of
from paredown.errors import MissingDependency
from paredown.hosts import open_host, system
from paredown.measurement import Measurement, Trial
from paredown.runtimes import RUNTIMES, runtime
from paredown.study.environments import (
    OF_RUNTIME,
    TrialKey,
    differences,
    environment_key,
    may_reuse,
    ranked,
    runtime_versions,
    set_apart,
    unmatched,
)
from paredown.study.store import Store, read_apart, read_trials

HERE = {
    "cpu": "Cortex-A76",
    "arch": "aarch64",
    "instruction_sets": ["dotprod", "neon"],
    "cores_usable": 4,
    "threads": 4,
    "memory_bytes": 8_000_000_000,
    "kernel": "Linux 6.1",
    "packages": {"onnxruntime": "1.32.0", "paredown": "0.1.0", "numpy": "2.3.0", "onnx": "1.20"},
    "date": "2026-01-01",
}


def with_packages(**versions: str) -> dict[str, object]:
    return {**HERE, "packages": {**HERE["packages"], **versions}}


def trial(recipe: str, facts: dict[str, object] | None, sha: str = "model") -> Trial:
    measured = None if facts is None else Measurement(sha, "local", facts, ())
    error = "it failed" if facts is None else None
    return Trial(recipe, recipe, "source", f"models/{recipe}.onnx", "local", 0, measured, (), error)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (with_packages(onnxruntime="1.33.0"), "onnxruntime 1.32.0 -> 1.33.0"),
        (with_packages(paredown="0.2.0"), "paredown 0.1.0 -> 0.2.0"),
        ({**HERE, "cpu": "Cortex-A55"}, "CPU Cortex-A76 -> Cortex-A55"),
        ({**HERE, "instruction_sets": ["neon"]}, "instruction sets dotprod neon -> neon"),
        ({**HERE, "cores_usable": 2}, "usable cores 4 -> 2"),
        ({**HERE, "threads": 1}, "threads 4 -> 1"),
        ({**HERE, "governor": "powersave"}, "frequency governor not known -> powersave"),
        ({k: v for k, v in HERE.items() if k != "packages"}, "onnxruntime 1.32.0 -> not known"),
    ],
)
def test_what_differs_is_another_environment_and_is_said(other, words) -> None:
    assert environment_key(HERE) != environment_key(other)
    assert words in differences(HERE, other)


@pytest.mark.parametrize(
    "same",
    [
        {**HERE, "date": "2026-02-02"},
        {**HERE, "kernel": "Linux 6.6"},
        {**HERE, "memory_bytes": 7_990_000_000},
        with_packages(onnx="1.21"),
        {**HERE, "instruction_sets": ("dotprod", "neon")},
    ],
)
def test_what_changes_from_day_to_day_is_not(same) -> None:
    assert environment_key(HERE) == environment_key(same)
    assert differences(HERE, same) == ()


def test_this_machine_is_always_the_same() -> None:
    assert environment_key(environment(open_host())) == environment_key(environment(open_host()))


def test_only_one_environment_is_ranked_and_the_way_back_is_open() -> None:
    new = with_packages(onnxruntime="1.33.0")
    log = [trial("float", HERE), trial("int8", HERE), trial("float", new), trial("int4", None)]
    assert [t.recipe for t in ranked(log, environment_key(new))] == ["float", "int4"]
    assert [t.recipe for t in ranked(log, environment_key(HERE))] == ["float", "int8", "int4"]
    (apart,) = set_apart(log, environment_key(new))
    assert [t.recipe for t in apart.trials] == ["float", "int8"]
    assert apart.differs == ("onnxruntime 1.32.0 -> 1.33.0",)
    (left,) = unmatched([apart], ranked(log, environment_key(new)))
    assert [t.recipe for t in left.trials] == ["int8"]


def other_runtime(recipe: str, version: str) -> Trial:
    return replace(trial(recipe, with_packages(openvino=version)), runtime="openvino")


def test_another_version_of_a_trials_own_runtime_is_noticed(tmp_path: Path) -> None:
    """And of no other runtime's: what ONNX Runtime computed stands."""
    log = [trial("float", with_packages(openvino="2026.3")), other_runtime("int8", "2026.3")]
    now = with_packages(openvino="2026.4")
    with Store(tmp_path / "study") as store:
        for found in log:
            store.append(found)
        store.settle({}, {}, log[0].measurement.environment)
        assert store.trials() == (log[0], log[1])
        store.settle({}, {}, now)
        assert store.trials() == (log[0],)
        (apart,) = read_apart(store.directory, now)
        assert apart.trials == (log[1],)
        assert apart.differs == ("openvino 2026.3 -> 2026.4",)
        store.append(other_runtime("int8", "2026.4"))
        assert [t.runtime for t in store.trials()] == ["onnxruntime", "openvino"]
        store.settle({}, {}, HERE)  # OpenVINO is gone: nothing says that its trials are wrong
        assert len(store.trials()) == 2


def test_versions_of_every_runtime_are_read_from_this_machine() -> None:
    everywhere = {name for names in OF_RUNTIME.values() for name in names}
    assert everywhere <= set(system._PACKAGES)
    for name in set(RUNTIMES) - {"null", "reference", "onnxruntime"}:
        assert runtime(name).SHIPS.package in OF_RUNTIME[name]
        try:
            version = runtime(name).version()
        except MissingDependency:
            continue
        assert runtime_versions(environment(open_host()), name)[OF_RUNTIME[name][0]] == version


def test_a_failure_elsewhere_does_not_hide_what_was_measured_here() -> None:
    log = [trial("int8", HERE), trial("int8", None)]
    (kept,) = ranked(log, environment_key(HERE))
    assert kept.measurement is not None
    again = [trial("int8", None), trial("int8", HERE)]
    assert ranked(again, environment_key(HERE)) == (again[1],)


def test_a_study_finishes_nothing_that_another_machine_measured(tmp_path) -> None:
    wanted = TrialKey("int8", "source", "local", 0)
    with Store(tmp_path) as store:
        store.settle({}, {}, HERE)
        store.append(trial("int8", HERE))
        assert store.finished(wanted) is not None
    with Store(tmp_path) as store:
        store.settle({}, {}, {**HERE, "cpu": "another"})
        assert store.finished(wanted) is None
        assert read_trials(tmp_path) == ()
        assert read_apart(tmp_path, {**HERE, "cpu": "another"})[0].differs == ("CPU Cortex-A76 -> another",)
    with Store(tmp_path) as store:
        store.settle({}, {}, HERE)
        assert store.finished(wanted) is not None


def test_a_model_of_another_environment_keeps_its_file(tmp_path) -> None:
    import hashlib

    with Store(tmp_path) as store:
        store.settle({}, {}, HERE)
        file = store.save_model(b"first", "int8")
        store.append(replace(trial("int8", HERE, hashlib.sha256(b"first").hexdigest()), model_file=file))
        store.settle({}, {}, {**HERE, "cpu": "another"})
        assert store.save_model(b"first", "int8") == file
        second = store.save_model(b"second", "int8")
        assert second != file
        assert (tmp_path / file).read_bytes() == b"first"


def test_a_model_is_made_again_where_the_device_or_the_package_is_another() -> None:
    made = trial("cle+w8a8-pc-mse", HERE)
    assert may_reuse(made, HERE)
    assert may_reuse(made, with_packages(onnxruntime="1.33.0"))
    assert not may_reuse(made, with_packages(paredown="0.2.0"))
    assert not may_reuse(made, {**HERE, "instruction_sets": ["neon"]})
    for asks_the_runtime in ("cle+mix", "ort-static-pt-minmax", "cle+w8a8-pc-mse-timed+gptq"):
        assert may_reuse(trial(asks_the_runtime, HERE), HERE)
        assert not may_reuse(trial(asks_the_runtime, HERE), with_packages(onnxruntime="1.33.0"))
    assert not may_reuse(trial("int8", None), HERE)


def test_the_float_model_of_another_runtime_that_failed_first_never_becomes_the_reference() -> None:
    """What failed on one machine and was measured on the next stands behind that one's own float model."""
    failed = replace(trial("float", None), runtime="openvino", label="float@openvino")
    measured = replace(trial("float", HERE), runtime="openvino", label="float@openvino")
    log = [failed, trial("float", HERE), measured]
    found = ranked(log, environment_key(HERE))
    assert [t.label for t in found] == ["float", "float@openvino"]
    reference = baseline_of(found)
    assert reference is not None
    assert (reference.label, reference.key, measured.key) == ("float", "float", "float@openvino")
