"""Energy in a report: bars and watts over time where it was measured, the reason where it was not."""

from __future__ import annotations

import re
from dataclasses import replace

from made_up_story import story

from paredown._report.in_words import summary_md
from paredown._report.trials_csv import trials_csv
from paredown._report.write import render
from paredown.measurement import Quantity, Trial


def with_energy(trial: Trial, joules: float) -> Trial:
    assert trial.measurement is not None
    found = (
        Quantity.listed("energy_j", joules, low=0.9 * joules, high=1.1 * joules),
        Quantity.listed("dynamic_energy_j", joules / 2),
        Quantity.listed("accuracy_per_j", 40 / joules),
    )
    quantities = (*trial.measurement.quantities, *found)
    curves = {**trial.measurement.curves, "power_time_s": (0.0, 1.0, 2.0), "power_w": (2.0, 5.0, 6.0)}
    return replace(trial, measurement=replace(trial.measurement, quantities=quantities, curves=curves))


def test_energy_has_bars_and_watts_over_time() -> None:
    trials = tuple(
        with_energy(t, 0.8 - 0.05 * i) if t.measurement else t for i, t in enumerate(story().trials)
    )
    text = render(story(trials=trials))
    for plot in ("energy-j", "dynamic-energy-j", "accuracy-per-j", "power-time"):
        assert f'id="plot-{plot}"' in text, plot
    assert "Energy was not measured" not in text
    assert "energy_j [J]" in trials_csv(trials)
    assert "accuracy_per_j [points/J]" in trials_csv(trials)


def test_no_energy_is_said_with_its_reason() -> None:
    why = {"energy": "no energy sensor can be read here (rapl: none)"}
    trials = tuple(
        replace(t, measurement=replace(t.measurement, absent=why)) if t.measurement else t
        for t in story().trials
    )
    text = render(story(trials=trials))
    assert "Energy was not measured: no energy sensor can be read here (rapl: none)." in text
    assert 'id="plot-energy-j"' not in text
    assert "Energy was not measured" not in render(story())


def test_an_estimate_is_called_one() -> None:
    (first, *rest) = story().trials
    made = first.measurement
    assert made is not None
    energy = Quantity.listed("energy_j", 0.4, how="estimated")
    guessed = replace(first, measurement=replace(made, quantities=(*made.quantities, energy)))
    text = render(story(trials=(guessed, *rest)))
    assert "Energy of one inference, estimated, with what" in text


def test_the_summary_calls_an_estimate_one_wherever_it_stands() -> None:
    def estimated(trial: Trial) -> Trial:
        assert trial.measurement is not None
        found = tuple(
            replace(q, how="estimated") if q.name == "energy_j" else q for q in trial.measurement.quantities
        )
        return replace(trial, measurement=replace(trial.measurement, quantities=found))

    trials = tuple(
        estimated(with_energy(t, 0.8 - 0.05 * i)) if t.measurement else t
        for i, t in enumerate(story().trials)
    )
    lines = summary_md(story(trials=trials)).splitlines()
    joules = [line for line in lines if re.search(r"\d\sm?J\b", line)]
    assert any("least energy" in line for line in joules)
    assert all("J, estimated" in line for line in joules)
