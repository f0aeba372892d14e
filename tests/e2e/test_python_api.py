"""From Python: paths wherever a model or images are taken, `recipes` as text, progress only where watched."""

from __future__ import annotations

import pytest

import paredown
from paredown._compress.pack import pdz
from paredown._measure.timing import latency, noise


def test_paths_serve_as_models_and_images(toy, capsys):
    small = paredown.compress(toy.model, "int8-weights", str(toy.calib))
    measured = paredown.measure(small.model, toy.data, baseline=str(toy.model), what=("map",))
    assert measured.value("map50_95") > 0.5
    compared = paredown.compare(toy.model, small.model, toy.data)
    assert isinstance(compared.statistics, paredown.Comparison)
    assert paredown.inspect(str(toy.model)).macs > 0
    assert isinstance(paredown.target(), paredown.Target)
    assert capsys.readouterr() == ("", "")  # nobody watches a test


def test_a_packed_model_serves_as_a_model(toy, tmp_path):
    packed = tmp_path / "toy.pdz"
    packed.write_bytes(pdz.pack(toy.model.read_bytes()))
    assert paredown.load(packed).sha256 == paredown.load(toy.model).sha256
    assert paredown.inspect(packed) == paredown.inspect(toy.model)


def test_a_run_takes_a_recipe_as_text(toy, tmp_path, capsys):
    said = []
    outcome = paredown.run(
        toy.model, toy.data, toy.calib, out=tmp_path / "s", recipes="int8-weights", say=said.append
    )
    assert [t.label for t in outcome.trials] == ["float", "int8-weights"]
    assert capsys.readouterr() == ("", "")
    (line,) = [text for text in said if "elapsed" in text]
    assert "s beside float's" in line  # ms or µs, as fast as the machine is
    assert "kB" in line
    assert "left" not in line  # it was the last


def test_a_study_that_was_stopped_has_a_report(toy, tmp_path, monkeypatch):
    from paredown import job

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "run_trials", stopped)
    with pytest.raises(KeyboardInterrupt):
        paredown.run(toy.model, toy.data, toy.calib, out=tmp_path / "s", recipes="int8-weights")
    page = paredown.report(tmp_path / "s").read_text(encoding="utf-8")
    assert "0 of 1 recipe finished" in page
    assert "Still to come: int8-weights" in page


def test_before_the_float_model_was_measured_the_report_says_so(toy, tmp_path, monkeypatch):
    from paredown import job

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "float_trial", stopped)
    with pytest.raises(KeyboardInterrupt):
        paredown.run(toy.model, toy.data, toy.calib, out=tmp_path / "s")
    page = paredown.report(tmp_path / "s").read_text(encoding="utf-8")
    assert "the float model has not been measured yet" in page
    assert "Nothing to recommend yet" in page


@pytest.mark.parametrize("verb", ["compress", "measure", "compare"])
def test_a_card_that_reads_the_model_wrongly_stops_every_verb(toy, tmp_path, verb):
    """The card was never tried on an image; the verb looks before it builds on it."""
    card = tmp_path / "wrong.toml"
    card.write_text('[decode]\ncolumns = "x1 y1 x2 y2 scores"\n')
    model = paredown.load(toy.model, card=card)
    verbs = {
        "compress": lambda: paredown.compress(model, "int8-weights", toy.calib),
        "measure": lambda: paredown.measure(model, toy.data, what=["map"]),
        "compare": lambda: paredown.compare(model, model, toy.data),
    }
    with pytest.raises(paredown.ParedownError, match="cannot be what the family"):
        verbs[verb]()


def test_a_model_measured_alone_has_no_doubts_about_a_baseline(toy, monkeypatch):
    monkeypatch.setattr(noise, "SPREAD_LIMIT", -1.0)  # every timing is doubted
    monkeypatch.setattr(latency, "_CI_LIMIT", -1.0)
    beside = paredown.measure(toy.model, toy.data, baseline=toy.model, what=("latency",))
    said = "; ".join(map(str, beside.doubts))
    assert all(words in said for words in ("rounds of the model", "float model beside it", "latency ratio"))
    said = "; ".join(map(str, paredown.measure(toy.model, toy.data, what=("latency",)).doubts))
    assert "rounds of the model" in said
    assert not any(words in said for words in ("float model", "ratio"))
