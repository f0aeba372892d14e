"""The judge: what a candidate loses on images set aside."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paredown import api
from paredown._measure.judge import ImageJudge
from paredown.graph.prepare import prepare
from paredown.model import Model
from toys import Toy


def subject(toy: Toy, spec: str) -> tuple[Model, ImageJudge]:
    images = api.read_dataset(spec)
    loaded = api.load(toy.model, api.read_dataset(str(toy.data)))
    assert loaded.card is not None
    model = prepare(loaded, loaded.card.preprocess.size)
    return model, ImageJudge(model, images, loaded.card, api.target(), "toy images", threads=1)


def test_against_the_truth_where_there_is_some(toy: Toy) -> None:
    model, judge = subject(toy, str(toy.data))
    lost = judge(model)
    assert lost.points == 0.0
    assert lost.noise == 0.0
    assert lost.metric == "map50_95"
    assert lost.images == "toy images"


def test_against_the_float_model_where_there_is_none(toy: Toy) -> None:
    model, judge = subject(toy, f"plain:{toy.data / 'images'}")
    assert judge(model).points == pytest.approx(0.0)
    assert judge(model).metric == "fidelity_map50_95"


def test_what_is_worse_loses_points_and_says_how_sure_that_is(toy: Toy) -> None:
    model, judge = subject(toy, str(toy.data))
    made = api.compress(model, "w2a8-all", api.read_dataset(str(toy.calib)), threads=1).model
    lost = judge(made)
    assert lost.points > 1
    assert 0 < lost.noise < 50


def test_the_float_model_is_asked_once(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    model, judge = subject(toy, str(toy.data))
    judge(model)
    monkeypatch.setattr(judge, "source", None)
    judge(model)


def test_classes_that_do_not_count_decide_nothing(toy: Toy) -> None:
    """As in the final figure: a candidate is chosen by what the study is judged on."""
    model, every = subject(toy, str(toy.data))
    made = api.compress(model, "w2a8-all", api.read_dataset(str(toy.calib)), threads=1).model
    lost = {(): every(made).points}
    for number in (0, 1):
        judge = replace(every, classes=(number,), _floats=[])
        lost[(number,)] = judge(made).points
        assert all(set(s.truth.classes) <= {number} for s in judge.images)
        assert all(set(p.classes) <= {number} for p in judge._floats)
    assert lost[()] == pytest.approx((lost[(0,)] + lost[(1,)]) / 2, abs=0.01)
