"""Which candidate for which priority: objectives, front, guideline, frame rate, seeds; by stated rules."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "study"))
from made_up_trials import trial

from paredown.analyze.against_float import compared
from paredown.analyze.guideline import guideline
from paredown.analyze.kept import Kept
from paredown.analyze.priorities import priorities
from paredown.analyze.real_time import real_time
from paredown.analyze.repeats import repeats
from paredown.analyze.selection import ACCURACY, candidates, select
from paredown.errors import DataError, UnknownName
from paredown.measurement import Quantity, Trial

FLOAT = trial("float", 0.40, ms=60.0, size=12e6)
INT8 = trial("int8", 0.398, (0.5, 0.49, 0.51), ms=30.0, size=3e6)
SMALL = trial("int4", 0.35, (0.45, 0.44, 0.46), ms=27.0, size=2e6)
BROKEN = trial("stock", 0.01, (0.4, 0.39, 0.41), ms=24.0, size=3e6)
TRIALS = [FLOAT, INT8, SMALL, BROKEN]


def of(trials: list[Trial], model: str = "net") -> tuple:
    return candidates({model: (trials, trials[0])})


def with_quantity(made: Trial, *quantities: Quantity) -> Trial:
    assert made.measurement is not None
    all_of_them = (*made.measurement.quantities, *quantities)
    return replace(made, measurement=replace(made.measurement, quantities=all_of_them))


def test_one_that_fell_apart_is_no_candidate_and_is_named():
    found = select(of(TRIALS))
    assert [c.name for c in found.candidates] == ["float", "int8", "int4"]
    assert found.left_out == {"stock": "it kept 2 % of its float model's accuracy"}
    assert found.objectives == (ACCURACY, "latency_s", "size_bytes")


def test_the_front_has_every_objective_and_the_scale_runs_from_worst_to_best():
    worse = trial("int8-slow", 0.397, (0.6, 0.59, 0.61), ms=36.0, size=3.1e6)
    found = select(of([*TRIALS, worse]))
    assert [found.candidates[i].name for i in found.front] == ["float", "int8", "int4"]
    assert min(min(line) for line in found.scaled) == 0
    assert max(max(line) for line in found.scaled) == 1
    assert sum(found.ranking.shares) == pytest.approx(1)


def test_energy_counts_where_the_float_model_has_it():
    joules = [with_quantity(t, Quantity.listed("energy_j", j)) for t, j in ((FLOAT, 0.8), (INT8, 0.4))]
    found = select(of([*joules, SMALL]))
    assert found.objectives[-1] == "energy_j"
    assert found.left_out == {"int4": "it has no energy"}


def test_weights_order_the_ranking_and_unknown_ones_are_refused():
    assert select(of(TRIALS), {ACCURACY: 1}).ranked[0].name == "float"
    assert select(of(TRIALS), {"size_bytes": 3, "latency_s": 1}).ranked[0].name == "int4"
    with pytest.raises(UnknownName):
        select(of(TRIALS), {"energy_j": 1})
    with pytest.raises(DataError):
        select(of(TRIALS), {ACCURACY: 0})


def test_several_models_are_told_apart_by_name_and_each_has_its_own_float_model():
    other = [trial("float", 0.30, ms=20.0, size=4e6), trial("int8", 0.29, (0.7, 0.69, 0.71), size=1e6)]
    found = candidates({"a": (TRIALS, FLOAT), "b": (other, other[0])})
    assert [c.name for c in found][3:] == ["a stock", "b float", "b int8"]
    assert found[5].get("latency_s").value == pytest.approx(0.7 * 0.020)
    assert {a.priority: a.candidate.name for a in guideline(select(found), 1.0)} == {
        "fastest": "b int8", "balanced": "a int8", "most accurate": "a float", "smallest": "b int8",
    }  # fmt: skip


def test_the_guideline_follows_its_rules_within_what_may_be_lost():
    made = [FLOAT, replace(INT8, seconds={"compress": 9.0}), replace(SMALL, seconds={"compress": 4.0})]
    free = {a.priority: a.candidate.name for a in guideline(select(of(made)))}
    assert (free["fastest"], free["smallest"], free["quickest to make"]) == ("int4", "int4", "int4")
    bound = {a.priority: a for a in guideline(select(of(made)), 1.0)}
    assert [bound[p].candidate.name for p in ("fastest", "smallest", "quickest to make")] == ["int8"] * 3
    assert bound["quickest to make"].found.value == 9.0
    assert bound["fastest"].rule == "least latency, of those that lose at most 1 point"
    assert "least energy" not in bound


@pytest.mark.parametrize(
    ("fps", "found"), [(30.0, "keeps up"), (35.0, "too slow"), (33.3, "too near to tell")]
)
def test_the_frame_rate_is_held_against_the_whole_interval(fps, found):
    (_, int8, *_) = of(TRIALS)
    rate = real_time(int8, fps)  # 60 ms x 0.49 .. 0.51 = 29.4 .. 30.6 ms
    assert not rate.whole
    assert rate.found == (found if fps != 35.0 else "too slow")


def test_preprocessing_and_decoding_are_part_of_a_frame_where_they_were_timed():
    parts = (Quantity("pre_s", 0.002, "s", "lower"), Quantity("post_s", 0.003, "s", "lower"))
    (_, int8) = of([FLOAT, with_quantity(INT8, *parts)])
    rate = real_time(int8, 30.0)
    assert rate.whole
    assert rate.frame_s == pytest.approx(0.035)
    assert rate.found == "too slow"


def test_what_has_no_latency_has_no_frame_rate():
    (untimed,) = of([trial("float", 0.4, None)])
    assert real_time(untimed, 30.0) is None


def test_accuracy_for_a_megabyte():
    found = compared(INT8, FLOAT, "accuracy_per_mb")
    assert found.value == pytest.approx(39.8 / 3)
    assert found.how == "derived"
    assert compared(trial("int8", 0.9, metric="fidelity_map50_95"), FLOAT, "accuracy_per_mb") is None


def test_trials_of_several_seeds_are_tested_in_pairs():
    def seeds(made: Trial, *values: float) -> list[Trial]:
        return [
            replace(trial(made.recipe, v), seed=42 + i, label=made.label + (f"-seed{i}" if i else ""))
            for i, v in enumerate(values)
        ]

    int8, int4 = seeds(INT8, 0.398, 0.399, 0.397, 0.398), seeds(SMALL, 0.350, 0.351, 0.348, 0.350)
    found = {r.label: r for r in repeats({"net": [FLOAT, *int8, *int4]})}
    assert list(found) == ["int8", "int4"]
    assert found["int8"].spread.n == 4
    assert found["int8"].tests is None
    assert found["int4"].tests.difference.mean == pytest.approx(-0.04825)
    assert found["int4"].corrected < 0.001
    assert repeats({"net": [FLOAT, INT8, SMALL]}) == ()
    twins = repeats({"net": int8, "the same file, fed otherwise": int4})
    assert [(r.model, r.label, r.spread.n) for r in twins] == [
        ("net", "int8", 4),
        ("the same file, fed otherwise", "int4", 4),
    ]


def kept(value: float, noise: float, seed: int, same: str = "images") -> Kept:
    shared = np.random.default_rng(0).normal(0, 0.02, 2000)  # what is hard about an image is so for all
    own = np.random.default_rng(seed).normal(0, noise, 2000)
    names = tuple(f"{i}.jpg" for i in range(197))
    return Kept("detect", "truth", "map50_95", value, value + shared + own, np.ones(197), names, same)


def test_what_the_images_do_not_tell_apart_is_said():
    given = of(TRIALS)
    evidence = {"float": kept(0.40, 0.002, 1), "int8": kept(0.398, 0.002, 2), "int4": kept(0.35, 0.002, 3)}
    found = priorities(given, evidence, allowed=1.0, recommended="int8")
    assert found.reference == "int8"
    assert found.same("float")
    assert not found.same("int4")
    assert found.beside["int4"].lost == pytest.approx(4.8)
    assert set(found.beside) == {"float", "int4"}


def test_without_a_verdict_the_balanced_one_is_the_reference():
    assert priorities(of(TRIALS), {}, allowed=1.0).reference == "int8"


def test_without_truth_agreement_is_spoken_of_and_float_is_not_most_like_itself():
    made = [
        trial("float", 1.0, ms=60.0, size=12e6, metric="fidelity_map50_95"),
        trial("int8", 0.97, (0.5, 0.49, 0.51), size=3e6, metric="fidelity_map50_95"),
    ]
    advice = {a.priority: a for a in guideline(select(of(made)), 5.0)}
    assert advice["most like float"].candidate.name == "int8"
    assert advice["fastest"].rule == "least latency, of those that agree at least 95 %"
    assert "most accurate" not in advice
