"""--runtime: a model is made for another runtime, with files of its own, and measured there."""

from __future__ import annotations

import json

import pytest

from paredown import api
from paredown.cli import main
from paredown.errors import MissingDependency, UnknownName
from paredown.runtimes import RUNTIMES, runtime

MADE = {"openvino": {"model.xml", "model.bin"}, "onnxruntime": set()}


@pytest.fixture(params=sorted(MADE))
def name(request):
    try:
        runtime(request.param).version()
    except MissingDependency as error:
        pytest.skip(f"{error.what}: {error.hint}")
    return request.param


@pytest.mark.parametrize("recipe", ["float", "int8-minmax"])
def test_a_model_is_made_and_measured(toy, tmp_path, capsys, name, recipe):
    words = ["--runtime", name, "--json", "--quiet"]
    out = tmp_path / "out"
    line = ["compress", str(toy.model), "--recipe", recipe, "--calib", str(toy.calib), "--out", str(out)]
    assert main([*line, *words]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["runtime"] == name
    assert {p.name for p in out.iterdir()} >= MADE[name] | {"model.onnx", "recipe.toml", "log.json"}
    files = [out / n for n in MADE[name] or ["model.onnx"]]
    assert set(told["files"]) == {str(f) for f in files}

    line = ["measure", str(out / "model.onnx"), "--data", str(toy.data), "--baseline", str(toy.model)]
    assert main([*line, *words, "--threads", "1"]) == 0
    found = {n: q["value"] for n, q in json.loads(capsys.readouterr().out)["quantities"].items()}
    assert found["size_bytes"] == sum(f.stat().st_size for f in files)
    assert found["latency_s"] > 0
    assert found["map50_95"] > (0.99 if recipe == "float" else 0.5)


def test_every_runtime_is_listed_with_its_version_or_its_command(capsys):
    assert main(["list", "runtimes", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert set(listed) == set(RUNTIMES)
    for name, text in listed.items():
        try:
            begins = runtime(name).version()
        except MissingDependency as error:
            begins = f"not installed ({error.hint})"
        assert text == f"{begins}: {runtime(name).SUMMARY}"


def test_a_runtime_that_is_not_installed_is_said_before_any_work(toy, monkeypatch):
    def missing():
        raise MissingDependency("openvino", "openvino", "the runtime openvino")

    monkeypatch.setattr(runtime("openvino"), "version", missing)
    with pytest.raises(MissingDependency, match=r"paredown\[openvino\]"):
        api.measure(toy.model, toy.data, runtime="openvino")


def test_an_unknown_runtime_is_refused(toy):
    with pytest.raises(UnknownName, match="did you mean 'openvino'"):
        api.target("local", "openvin")
