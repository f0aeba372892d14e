"""docs/design.md, "where do I add ...": each is one file of `tests/additions/` and one row of a table.

The file counts as one that lies in the shelf's own folder. No test here changes anything else of the package.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from made_up_models import model
from paredown import api, data, families, sensors, tasks
from paredown._compress.presets import parse_recipe
from paredown._compress.steps import STEPS
from paredown._measure import doctor
from paredown._measure.accuracy import accuracy
from paredown._measure.align import align
from paredown._measure.compare import compare
from paredown.card import Card, Preprocess
from paredown.cli import main
from paredown.cli.list import summaries
from paredown.data.reading import FORMATS, Format
from paredown.deploy.script import detect_script
from paredown.detections import ClassScores
from paredown.differences import differing_pairs
from paredown.families.recognition import predict, recognise
from paredown.hosts import HOSTS, open_host
from paredown.measurement import Quantity
from paredown.metrics import METRICS, title_of
from paredown.metrics.metric import Metric
from paredown.preprocessing.letterbox import fit_image
from paredown.quantities import QUANTITIES, Limit, QuantityKind
from paredown.runtimes import RUNTIMES
from paredown.runtimes import runtime as find_runtime
from paredown.study.bench import Bench
from paredown.study.fingerprints import truth_digest
from paredown.study.limits import Limits
from paredown.study.predictions import load_predictions, save_predictions
from paredown.targets import target
from paredown.testing import metrics, runtimes, steps
from toys import Toy, write_images

ADDITIONS = Path(__file__).parents[1] / "additions"


@pytest.fixture
def add(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """add("families.fives"): the file tests/additions/families/fives.py as a module of that shelf."""
    added: list[tuple[ModuleType, str]] = []

    def put(where: str) -> ModuleType:
        shelf, _, name = where.rpartition(".")
        package = importlib.import_module(f"paredown.{shelf}")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(ADDITIONS / shelf)])
        module = importlib.import_module(f"{package.__name__}.{name}")
        added.append((package, name))
        return module

    yield put
    for package, name in added:
        sys.modules.pop(f"{package.__name__}.{name}")
        delattr(package, name)


def test_a_family(add, monkeypatch):
    add("families.fives")
    monkeypatch.setattr(families, "_MODULES", (*families._MODULES, "fives"))
    card = recognise(model({"o": ((1, 9, 5), ())}, input_shape=(1, 3, 32, 32))).resolve()
    assert card.family == "fives"
    _, frame = fit_image(np.zeros((32, 32, 3), np.uint8), card.preprocess)
    rows = np.zeros((1, 9, 5), np.float32)
    rows[0, 4] = (3, 2, 20, 10, 0.9)
    found = predict({"o": rows}, card, frame)
    np.testing.assert_array_equal(found.boxes, [[2, 3, 10, 20]])
    assert "y1 x1 y2 x2 score" in detect_script("fives")
    assert "fives" in summaries("families")


def test_a_metric(add, monkeypatch, toy: Toy):
    sure = add("metrics.sure")
    row = Metric("sure", "found surely", sure.found_surely, "higher", "share found surely", "detect", "truth")
    monkeypatch.setitem(METRICS, "sure", row)
    for check in metrics.CHECKS:
        check(row, metrics.counted(row))
    assert title_of("sure") == "found surely"
    assert "sure" in summaries("metrics")
    measured = api.measure(toy.model, toy.data, what=("map",))
    (quantity,) = [q for q in measured.quantities if q.name == "sure"]
    assert 0 < quantity.value <= 1
    assert quantity.ci
    assert quantity.low <= quantity.value <= quantity.high


def test_a_format(add, monkeypatch, tmp_path):
    add("data.dots")
    monkeypatch.setitem(FORMATS, "dots", Format("dots", "dots.txt beside the images"))
    write_images(tmp_path, 2)
    (tmp_path / "dots.txt").write_text("000.png disc\n001.png box\n")
    for spec in (str(tmp_path), f"dots:{tmp_path}"):
        read = data.read_dataset(spec)
        assert (read.format, read.classes) == ("dots", ("disc", "box"))
        assert [s.truth for s in read] == [0, 1]
    assert "dots" in summaries("formats")


@pytest.mark.parametrize("network", ["residual", "classifier"])
def test_a_step(add, monkeypatch, network):
    coarse = add("_compress.coarse")
    monkeypatch.setitem(STEPS, "coarse", (coarse.Coarse, coarse.apply))
    assert parse_recipe("coarse-levels8").steps == (coarse.Coarse(8),)
    assert parse_recipe("coarse-levels8+w8a8").name == "coarse-levels8+w8a8-pc-mse"
    for check in steps.CHECKS:
        check(coarse.Coarse(), network)
    assert "coarse" in summaries("steps")


@pytest.mark.parametrize("check", [*runtimes.CHECKS, *runtimes.ANSWERS])
def test_a_runtime(add, monkeypatch, check):
    add("runtimes.scalar")
    monkeypatch.setitem(RUNTIMES, "scalar", "paredown.runtimes.scalar")
    check(find_runtime("scalar"))


def test_a_model_is_measured_on_a_runtime_that_was_added(add, monkeypatch, toy: Toy):
    add("runtimes.scalar")
    monkeypatch.setitem(RUNTIMES, "scalar", "paredown.runtimes.scalar")
    where = replace(target("local"), runtime="scalar")
    assert where.policy.name == "scalar"
    images = data.read_dataset(f"plain:{toy.data / 'images'}")
    loaded = api.load(toy.model, images)
    here, there = (
        Bench(loaded.card, images, w).predict(loaded).predictions for w in (target("local"), where)
    )
    for a, b in zip(here, there, strict=True):
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-4)


def test_a_host(add, monkeypatch):
    add("hosts.bench")
    monkeypatch.setitem(HOSTS, "bench", "paredown.hosts.bench")
    host = open_host("bench:left")
    assert host.name == "bench:left"
    findings = doctor.check(replace(target("local"), host=host))
    assert {f.what for f in findings}
    assert host.facts().board == "a board on the bench"


def test_a_sensor(add, monkeypatch, tmp_path):
    """It is found, named by doctor, and read over time; tests/unit/measure/test_energy.py measures with
    it."""
    add("sensors.square")
    monkeypatch.setattr(sensors, "SENSORS", {"square": "paredown.sensors.square"})
    sensor = sensors.find_sensor()
    assert (sensor.name, sensor.counts) == ("square", True)
    assert open_host().facts().sensors == ("square",)
    assert any("square" in finding.what for finding in doctor.check(target("local")))
    assert "square" in summaries("sensors")
    first, started = sensor.read(), time.monotonic()
    time.sleep(0.4)
    assert (sensor.read() - first) / (time.monotonic() - started) == pytest.approx(4, rel=0.05)


def test_a_task(add, monkeypatch, tmp_path):
    """What is true, what was said and what it is called are the task's: stored, compared and translated."""
    presence = add("tasks.presence")
    monkeypatch.setattr(tasks, "_MODULES", (*tasks._MODULES, "presence"))
    pixels, present = np.zeros((8, 8, 3), np.uint8), presence.Present
    images = data.from_arrays([pixels] * 2, [present((0, 1)), present((1,))], ("disc", "box"))
    assert images.task == "presence"
    assert truth_digest(images) != truth_digest(replace(images, samples=images.samples[::-1]))
    card = Card("taggers", "presence", Preprocess((8, 8)), ("box", "ring"))
    aligned, notes = align(images, card)
    assert [s.truth for s in aligned] == [present((0,)), present((0,))]
    assert any("disc" in note for note in notes)
    said = [ClassScores(np.float32([0.1, 0.9])), ClassScores(np.float32([0.8, 0.7]))]
    save_predictions(tmp_path / "kept" / "environment" / "float.npz", said, "presence")
    kept = load_predictions(tmp_path / "kept" / "environment" / "float.npz", 2, "presence")
    np.testing.assert_array_equal([p.scores for p in kept], [p.scores for p in said])
    assert tasks.TASKS["presence"].WORDS.kind == "tagger"


def test_a_task_judges_and_draws(add, monkeypatch):
    """From truth to a headline with its interval, a comparison, a card chosen and pictures; two rows more."""
    presence = add("tasks.presence")
    monkeypatch.setattr(tasks, "_MODULES", (*tasks._MODULES, "presence"))
    for row in presence.METRICS:
        monkeypatch.setitem(METRICS, row.name, row)
    pixels, there = np.full((200, 300, 3), 128, np.uint8), [(0,), (1,), (0, 1), (1,)] * 5
    card = Card("taggers", "presence", Preprocess((8, 8)), ("box", "ring"), conf=0.5)
    images = data.from_arrays([pixels] * 20, [presence.Present(t) for t in there], card.classes)
    floats = [ClassScores(np.float32([0.9 * (c in t) for c in (0, 1)])) for t in there]
    worse = [*floats[:18], ClassScores(np.float32([0.9, 0.9])), ClassScores(np.float32([0.8, 0.1]))]

    quantities, curves = accuracy(worse, images, card, floats)
    named = {q.name: q for q in quantities}
    assert quantities[0].name == "presence"
    assert named["presence"].value == pytest.approx(19 / 20)
    assert named["presence_drop"].value == pytest.approx(5)
    assert named["fidelity_presence"].low <= named["fidelity_presence"].value == pytest.approx(19 / 20)
    assert sum(curves["confidence_histogram"]) == sum(map(len, there)) + 1
    found = compare(floats, worse, images, card)
    assert found.a_better == (19,)
    assert presence.card_evidence(floats, [s.truth for s in images], with_classes=True).value == 1
    (pair,) = differing_pairs(images, floats, worse, card, 1)
    assert pair.why == "1 classes became 1"
    assert pair.first != pair.second


def test_a_quantity(monkeypatch, capsys):
    """One row, and no file: its title, its unit, its limit and the option of that are known everywhere."""
    kind = QuantityKind("toy_j", "toy energy", "J", "lower", limit=Limit("--max-toy", "joules it may take"))
    monkeypatch.setitem(QUANTITIES, "toy_j", kind)
    measured = Quantity.listed("toy_j", samples=(0.25, 0.5, 1.0))
    assert (measured.value, measured.unit, measured.better, measured.how) == (0.5, "J", "lower", "measured")
    assert title_of("toy_j") == "toy energy"
    assert Limits(more={"toy_j": 0.5}).at_most == {"toy_j": 0.5}
    assert main(["run", "--help"]) == 0
    assert "--max-toy" in capsys.readouterr().out
