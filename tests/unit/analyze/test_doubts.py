"""Thirty doubts become a few sentences: by kind, counted, the worst first."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "study"))
from made_up_trials import BUSY, trial

from paredown.analyze.doubts import summed_up
from paredown.measurement import Doubt


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
