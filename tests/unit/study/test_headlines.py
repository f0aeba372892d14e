"""What a verdict says: speed where it is known, one number of points, agreement where there is no truth."""

from pathlib import Path

import pytest
from made_up_trials import BUSY, trial, yolo11n

from paredown.analyze.against_float import points_lost
from paredown.analyze.doubts import gain_doubts
from paredown.card import Card, Preprocess
from paredown.cli.closing import as_values, trial_table
from paredown.job import Outcome
from paredown.measurement import Quantity
from paredown.study.best import choose_best
from paredown.study.limits import Limits

FLOAT = trial("float")
NO_TRUTH = "fidelity_map50_95"
FLOAT_WITHOUT_TRUTH = trial("float", 1.0, metric=NO_TRUTH)


def cells(trials, verdict) -> dict[str, list[str]]:
    """Column -> what it shows, row by row."""
    table = trial_table(trials, verdict)
    return {str(c.header): [str(cell) for cell in c.cells] for c in table.columns}


def test_yolo11n_a_slow_phase_turns_no_figure_against_the_verdict() -> None:
    trials = yolo11n()
    verdict = choose_best(trials, Limits())
    assert verdict.headline == "Use int8: 1.1\u00d7 faster, 3.3\u00d7 smaller, 0.42 points lost"
    assert "348.0 ms beside 386.7 ms of float in the same rounds, 0.90 of float" in verdict.sentence
    columns = cells(trials, verdict)
    assert columns["ms"] == ["200.00", "180.00"]
    assert columns["ratio"] == ["1.00", "0.90"]
    assert columns["lost"] == ["-", "0.42"]
    # the limit on latency is held on the same figure
    assert choose_best(trials, Limits(max_latency_s=0.190)).gate_met
    assert not choose_best(trials, Limits(max_latency_s=0.170)).gate_met


def test_a_speed_that_is_not_told_apart_is_no_reason_and_the_headline_says_so() -> None:
    unsure = trial("int8", 0.398, (0.85, 0.77, 1.10), ms=51.0, size=3e6)
    verdict = choose_best([FLOAT, unsure], Limits())
    assert (
        verdict.headline == "Use int8: speed not told apart from float, 3.3\u00d7 smaller, 0.20 points lost"
    )
    assert "not told apart, so the speed is no reason" in verdict.sentence
    assert "faster" not in verdict.sentence
    larger = trial("int8", 0.398, (0.85, 0.77, 1.10), ms=51.0, size=11e6)
    assert choose_best([FLOAT, larger], Limits()).headline == "Keep the float model"


def test_an_unfit_machine_makes_no_speed_claim() -> None:
    fast = trial("int8", 0.398, (0.5, 0.49, 0.51), size=3e6, doubts=(BUSY,))
    verdict = choose_best([FLOAT, fast], Limits())
    assert verdict.headline == (
        "Use int8: no claim about speed (the machine was not fit to time on), 3.3\u00d7 smaller, "
        "0.20 points lost"
    )
    assert "faster" not in verdict.sentence
    same_size = trial("int8", 0.398, (0.5, 0.49, 0.51), doubts=(BUSY,))
    assert choose_best([FLOAT, same_size], Limits()).best is FLOAT
    slow = trial("int8", 0.398, (1.6, 1.5, 1.7), size=3e6, doubts=(BUSY,))
    kept = choose_best([FLOAT, slow], Limits())
    assert kept.best is FLOAT  # it may well be slower
    assert kept.remarks["int8"] == "not known to be as fast as float"


def test_a_candidate_whose_speed_is_known_goes_before_one_that_was_timed_on_an_unfit_machine() -> None:
    unfit = trial("a", 0.4, (0.5, 0.49, 0.51), size=3e6, doubts=(BUSY,))
    known = trial("b", 0.396, (0.8, 0.79, 0.81), size=5e6)
    verdict = choose_best([FLOAT, unfit, known], Limits())
    assert verdict.best is known
    assert verdict.remarks["a"] == "speed not told apart"
    assert verdict.reasons[-1] == (
        "Timed as faster, but while the machine was not fit for that: a (0.50 of float); worth timing again"
    )
    slower = trial("a", 0.4, (0.9, 0.89, 0.91), size=3e6, doubts=(BUSY,))
    assert "timing again" not in choose_best([FLOAT, slower, known], Limits()).sentence


def test_where_no_speed_is_known_the_least_loss_decides() -> None:
    pool = [trial(n, a, (0.9, 0.7, 1.1), size=3e6) for n, a in (("a", 0.396), ("b", 0.399))]
    verdict = choose_best([FLOAT, *pool], Limits())
    assert verdict.best.recipe == "b"
    assert "It loses least of the 2 that keep to the limits" in verdict.sentence
    assert verdict.remarks["a"] == "loses more than the best"  # of its speed nothing is known


@pytest.mark.parametrize(("drop", "met"), [(0.503, True), (0.506, False)])
def test_gate_table_and_words_use_one_number_of_points(drop: float, met: bool) -> None:
    paired = Quantity("map50_95_drop", drop, "points", "lower", "derived", low=0.1, high=0.9)
    int8 = trial("int8", 0.3942, (0.5, 0.49, 0.51), size=3e6, drop=paired)  # 0.58 by the two values
    verdict = choose_best([FLOAT, int8], Limits(max_drop=0.5))
    shown = f"{drop:.2f}"
    assert verdict.gate_met == met
    assert f"{shown} points lost" in verdict.sentence
    assert "0.58" not in verdict.sentence
    assert cells([FLOAT, int8], verdict)["lost"] == ["-", shown]
    assert f"{points_lost(int8, FLOAT).value:.2f}" == shown


def test_without_truth_the_words_are_agreement() -> None:
    int8 = trial("int8", 0.942, (0.5, 0.49, 0.51), size=3e6, metric=NO_TRUTH)
    trials = [FLOAT_WITHOUT_TRUTH, int8]
    verdict = choose_best(trials, Limits())
    assert verdict.headline.endswith("94.20 % agreement with the float model")
    assert "at least 88 % agreement with the float model (the default)" in verdict.sentence
    assert "lost" not in verdict.sentence
    assert "point" not in verdict.sentence
    columns = cells(trials, verdict)
    assert columns["agreement %"] == ["100.00", "94.20"]
    assert "lost" not in columns


def test_without_truth_the_limit_is_one_of_agreement() -> None:
    int8 = trial("int8", 0.87, (0.5, 0.49, 0.51), size=3e6, metric=NO_TRUTH)
    trials = [FLOAT_WITHOUT_TRUTH, int8]
    kept = choose_best(trials, Limits())
    assert kept.best is FLOAT_WITHOUT_TRUTH
    assert kept.remarks["int8"] == "agrees less than 88 %"
    assert kept.gate_met  # nothing was asked for
    assert choose_best(trials, Limits(min_agreement=85)).best is int8
    assert not choose_best(trials, Limits(min_agreement=90)).gate_met
    assert choose_best(trials, Limits(min_agreement=87)).gate_met


def test_an_older_study_without_truth_says_that_its_points_were_not_counted() -> None:
    int8 = trial("int8", 0.942, (0.5, 0.49, 0.51), size=3e6, metric=NO_TRUTH, beside=False)
    verdict = choose_best([FLOAT_WITHOUT_TRUTH, int8], Limits(max_drop=0.5))
    assert "not 0.5 points, which cannot be counted without truth" in verdict.sentence
    assert "60.0 ms, 0.50 of float" in verdict.sentence
    assert verdict.best is int8


def test_the_json_holds_the_figures_of_the_table() -> None:
    trials = yolo11n()
    card = Card("yolov8", "detect", Preprocess((64, 64)), ("disc",))
    outcome = Outcome(Path("d"), card, trials, choose_best(trials, Limits()), Path("r"), Path("b"))
    _, int8 = as_values(outcome)["trials"]
    assert int8["points_lost"] == 0.42
    assert int8["latency_at_float_s"] == pytest.approx(0.180)
    assert int8["quantities"]["float_latency_s"]["value"] == pytest.approx(0.387, abs=1e-3)
    assert int8["quantities"]["latency_ratio"]["how"] == "derived"


def test_a_gain_beyond_chance_is_doubted_in_the_verdict_itself() -> None:
    gained = Quantity("map50_95_drop", -15.2, "points", "lower", "derived", low=-18.0, high=-12.1)
    better = trial("int8", 0.552, (0.5, 0.49, 0.51), drop=gained, doubts=gain_doubts([gained]))
    verdict = choose_best((FLOAT, better), Limits())
    assert "15.20 points gained" in verdict.headline
    assert (
        "15.20 points gained, 95 % CI 12.10..18.00" in verdict.sentence
    )  # the interval's sign follows the word
    assert "the float model is probably read or fed wrongly" in verdict.sentence
    kept = trial("int8", 0.399, (0.5, 0.49, 0.51))
    assert "wrongly" not in choose_best((FLOAT, kept), Limits()).sentence
