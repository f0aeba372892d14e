"""Thirty doubts become a few sentences: by kind, counted, the worst first."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "study"))
from made_up_trials import BUSY, trial

from paredown.analyze.doubts import gain_doubts, summed_up
from paredown.measurement import Doubt, Quantity


def busy(cores: float, *, unfit: bool = False) -> Doubt:
    return Doubt("busy", f"other processes used {cores:.1f} of 2 cores meanwhile", cores / 2, unfit)


def test_one_sentence_for_each_kind_with_count_and_worst() -> None:
    governor = Doubt("governor", "the frequency governor is powersave, not performance: clock rates vary")
    spread = Doubt("spread", "the rounds of the model differ by 12%", 0.12)
    trials = [trial(f"r{i}", doubts=(governor, busy(0.1 * i))) for i in range(8)]
    trials.append(trial("int8", doubts=(governor, spread)))
    assert summed_up(trials) == (
        "The machine was busy with other work in 8 of 9 trials (worst, r7: other processes used 0.7 of 2 "
        "cores meanwhile).",
        "The rounds of a timing differed widely in 1 of 9 trials (int8: the rounds of the model differ by "
        "12%).",
        "The frequency governor is powersave, not performance: clock rates vary (in every trial).",
    )


def test_what_makes_a_machine_unfit_comes_first_and_says_so() -> None:
    throttled = Doubt("throttled", "the processor was throttled by heat or power meanwhile", unfit=True)
    trials = [trial("a", doubts=(busy(0.4),)), trial("b", doubts=(throttled,)), trial("c", doubts=(BUSY,))]
    first, second = summed_up(trials)
    assert first.startswith("The processor was slowed down by heat or power in 1 of 3 trials")
    assert first.endswith("No claim about speed is made for it.")
    assert "in 2 of 3 trials (worst, c: " in second
    assert second.endswith("No claim about speed is made for 1 of them.")


def test_doubts_of_an_older_study_that_differ_in_figures_only_are_one_sentence() -> None:
    old = [Doubt("other processes used of cores", f"other processes used {i} of 2 cores") for i in range(9)]
    (said,) = summed_up([trial(f"r{i}", doubts=(doubt,)) for i, doubt in enumerate(old)])
    assert said.startswith("Other processes used 0 of 2 cores (in every trial")


def test_without_doubts_nothing_is_said() -> None:
    assert summed_up([trial("float"), trial("int8")]) == ()


def drop(value: float, low: float, high: float) -> Quantity:
    return Quantity("map50_95_drop", value, "points", "lower", "derived", low=low, high=high)


def test_a_gain_beyond_chance_casts_doubt_on_the_float_model() -> None:
    (doubt,) = gain_doubts([drop(-15.2, -18.0, -12.1)])
    assert (doubt.kind, str(doubt), doubt.unfit) == ("gain", "15.2 points gained (12.1 .. 18.0)", False)
    (said,) = summed_up([trial("float"), trial("int8", doubts=(doubt,))])
    assert said == (
        "The float model is probably read or fed wrongly: a compressed one did better in 1 of 2 trials "
        "(int8: 15.2 points gained (12.1 .. 18.0))."
    )


def test_a_loss_or_a_gain_that_can_be_chance_casts_none() -> None:
    assert gain_doubts([drop(-3.0, -7.0, 0.4), drop(-0.6, -1.3, -0.1), drop(5.0, 3.0, 7.0)]) == ()
