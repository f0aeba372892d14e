"""Whatever runtime a model is for, its bundle answers on that runtime alone what was judged."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bare_python import bare_site, run_bare

from paredown import api, demo
from paredown.deploy import write_bundle
from paredown.detections import Detections
from paredown.errors import MissingDependency
from paredown.measurement import Measurement, Trial
from paredown.model import Model
from paredown.runtimes import RUNTIMES, runtime
from paredown.study.bench import Bench
from paredown.targets import target
from toys import Toy

COMPUTE = sorted(set(RUNTIMES) - {"null", "reference"})
FILES = {
    "onnxruntime": {"model.onnx"},
    "openvino": {"model.xml", "model.bin", "int8.onnx"},
    "litert": {"model.tflite", "int8.onnx"},
    "ncnn": {"model.ncnn.param", "model.ncnn.bin", "model.ncnn.json", "int8.onnx"},
    "tensorrt": {"model.engine", "int8.onnx"},
}
ONE_THREAD = {"threads": 1, "cores_usable": 99}
COMMON = {"card.toml", "measured.json", "detect.py", "README.md"}


def trial(recipe: str, name: str, model: Model, environment: dict[str, object]) -> Trial:
    measured = Measurement(model.sha256, "local", environment, ())
    return Trial(recipe, recipe, "ab" * 32, "models/m.onnx", "local", 0, measured, runtime=name)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures that the demo's detector knows."""
    folder = tmp_path_factory.mktemp("scenes")
    for i, sample in enumerate(demo.evaluation_set(4)):
        cv2.imwrite(str(folder / f"{i}.png"), sample.read()[..., ::-1])
    return folder


@pytest.fixture(params=COMPUTE, scope="module")
def shipped(request: Any, tmp_path_factory: Any) -> tuple[str, Path, Model]:
    """The name of a runtime, a bundle for it, measured on one thread, and the model in it."""
    name, out = request.param, tmp_path_factory.mktemp(request.param) / "best"
    scenes = demo.calibration_set(6)
    place = target("local", runtime=name)
    try:
        runtime(name).version()
        made = api.compress(demo.model_path(), "int8-minmax", scenes, runtime=name).model
        write_bundle(made, made.card, trial("int8", name, made, ONE_THREAD), place, out)
    except MissingDependency as error:
        pytest.skip(f"{error.what}: {error.hint}")
    return name, out, made


def test_it_finds_the_boxes_that_were_judged(
    shipped: tuple[str, Path, Model], scenes: Path, tmp_path: Path
) -> None:
    name, bundle, model = shipped
    site = bare_site(tmp_path, runtime(name).SHIPS.package)
    done = run_bare(site, bundle, str(scenes), "--json", "--conf", "0.001")
    assert done.returncode == 0, done.stderr
    images, card = api.read_dataset(str(scenes)), model.card
    assert card is not None
    judged = Bench(card, images, target("local", runtime=name), threads=1).predict(model).predictions
    answers = {Path(a["image"]).name: a["detections"] for a in map(json.loads, done.stdout.splitlines())}
    found = 0
    for sample, said in zip(images, judged, strict=True):
        assert isinstance(said, Detections)
        rows = answers[Path(sample.name).name]
        assert [card.classes.index(r["class"]) for r in rows] == said.classes.tolist()
        np.testing.assert_array_equal([r["box"] for r in rows], said.boxes)
        np.testing.assert_array_equal([r["score"] for r in rows], said.scores)
        found += len(rows)
    assert found > 20


def test_it_holds_the_runtimes_files_and_says_what_opens_them(shipped: tuple[str, Path, Model]) -> None:
    name, bundle, model = shipped
    assert {p.name for p in bundle.iterdir()} == COMMON | FILES[name]
    evidence = json.loads((bundle / "measured.json").read_text())
    assert evidence["files"] == {
        n: hashlib.sha256((bundle / n).read_bytes()).hexdigest() for n in FILES[name]
    }
    onnx = next(bundle.glob("*.onnx"))
    assert onnx.read_bytes() == model.data
    readme = (bundle / "README.md").read_text()
    package, there = runtime(name).SHIPS.package, runtime(name).version()
    assert f"pip install numpy {package} opencv-python-headless" in readme
    assert f"{package} {there}" in readme
    assert all(f"`{file}`" in readme for file in FILES[name])


def test_the_lines_of_the_readme_work(shipped: tuple[str, Path, Model], scenes: Path, tmp_path: Path) -> None:
    name, bundle, _ = shipped
    text = (bundle / "README.md").read_text().split("```python\n")[1].split("```")[0]
    image = next(scenes.iterdir())
    lines = text.replace('Path("photo.jpg")', f"Path({str(image)!r})")
    assert lines != text
    program = bundle / "own.py"
    program.write_text(
        f"import os, sys\nos.chdir({str(bundle)!r})\nsys.path.insert(0, {str(bundle)!r})\n{lines}"
    )
    try:
        done = run_bare(bare_site(tmp_path, runtime(name).SHIPS.package), bundle, script="own.py")
    finally:
        program.unlink()
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_a_missing_package_and_a_missing_file_are_one_line(
    shipped: tuple[str, Path, Model], scenes: Path, tmp_path: Path
) -> None:
    name, bundle, _ = shipped
    package = runtime(name).SHIPS.package
    words = [str(scenes)]
    if name != "onnxruntime":  # imported before anything else
        done = run_bare(bare_site(tmp_path, "numpy"), bundle, *words)
        assert done.returncode == 1
        assert f"pip install {package}" in done.stderr
        assert "Traceback" not in done.stderr
    first = sorted(FILES[name] - {"int8.onnx"})[-1]
    site = bare_site(tmp_path / "more" if (tmp_path / "more").mkdir() is None else tmp_path, package)
    for model, said in ((f"none{first.removeprefix('model')}", "no model file"), ("x.pt", "must end in")):
        done = run_bare(site, bundle, *words, "--model", str(tmp_path / model))
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_the_files_of_another_runtime_do_not_stay_behind(toy: Toy, tmp_path: Path) -> None:
    model = api.load(toy.model, toy.data)
    place = target("local")
    out = tmp_path / "best"
    write_bundle(model, model.card, trial("float", "onnxruntime", model, {}), place, out)
    (out / "mine.txt").write_text("the user's")
    for name in ("openvino", "onnxruntime"):
        try:
            other = replace(place, runtime=name)
            write_bundle(model, model.card, trial("float", name, model, {}), other, out)
        except MissingDependency as error:
            pytest.skip(f"{error.what}: {error.hint}")
        files = {"openvino": {"model.xml", "model.bin", "float.onnx"}}.get(name, {"model.onnx"})
        assert {p.name for p in out.iterdir()} == COMMON | files | {"mine.txt"}


def test_figures_of_another_version_are_said(toy: Toy, tmp_path: Path) -> None:
    model = api.load(toy.model, toy.data)
    measured = {"packages": {"onnxruntime": "1.2.3"}}
    bundle = write_bundle(
        model, model.card, trial("float", "onnxruntime", model, measured), target("local"), tmp_path / "b"
    )
    assert "measured with onnxruntime 1.2.3" in (bundle / "README.md").read_text()


def test_an_engine_is_left_to_the_device(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    place = target("local", runtime="tensorrt")
    model = api.compress(demo.model_path(), "int8-minmax", demo.calibration_set(4), runtime="tensorrt").model
    card = model.card
    assert card is not None
    bundle = write_bundle(model, card, trial("int8", "tensorrt", model, {}), place, tmp_path / "best")
    assert {p.name for p in bundle.iterdir()} == COMMON | {"model.onnx", "build.txt"}
    assert "`model.engine`" in (bundle / "README.md").read_text()
    assert "trtexec --onnx=model.onnx --saveEngine=model.engine" in (bundle / "build.txt").read_text()
    done = run_bare(bare_site(tmp_path), bundle, str(scenes))
    assert done.returncode == 1
    assert "model.engine: build.txt says how to build it" in done.stderr
