"""A trial survives its way through trials.jsonl bit for bit."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paredown.errors import StorageError
from paredown.measurement import Doubt, Measurement, Quantity, StepRecord, Trial
from paredown.study.records import from_line, plain, to_line

floats = st.floats(allow_nan=False)
names = st.text(max_size=12)
quantities = st.builds(
    Quantity,
    names,
    floats,
    names,
    st.sampled_from(["higher", "lower", "neither"]),
    st.sampled_from(["measured", "derived", "estimated", "simulated"]),
    st.lists(floats, max_size=4).map(tuple),
    st.none() | floats,
    st.none() | floats,
    names,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | floats | names, lambda inner: st.lists(inner, max_size=3)
)
plain_maps = st.dictionaries(names.filter(lambda n: n != "$float"), json_values, max_size=3)
measurements = st.builds(
    Measurement,
    names,
    names,
    plain_maps,
    st.lists(quantities, max_size=3).map(tuple),
    st.dictionaries(names.filter(lambda n: n != "$float"), st.lists(floats).map(tuple), max_size=2),
    st.lists(st.builds(Doubt, names, names, floats, st.booleans()), max_size=2).map(tuple),
)
records = st.builds(StepRecord, names, names, names, names, plain_maps)
trials = st.builds(
    Trial,
    names,
    names,
    names,
    st.none() | names,
    names,
    st.integers(),
    st.none() | measurements,
    st.lists(records, max_size=2).map(tuple),
    st.none() | names,
    st.dictionaries(names.filter(lambda n: n != "$float"), floats, max_size=2),
)


@settings(max_examples=60, deadline=None)
@given(trials)
def test_any_trial_comes_back_equal_from_one_line(trial):
    line = to_line(trial)
    assert "\n" not in line
    assert from_line(line) == trial


def test_numbers_without_a_json_form_come_back():
    samples = (math.inf, -math.inf, 0.1)
    trial = _trial(Quantity("x", math.nan, "s", "lower", samples=samples))
    line = to_line(trial)
    json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    back = from_line(line).measurement.quantities[0]
    assert math.isnan(back.value)
    assert back.samples == samples


def test_numpy_scalars_become_python_numbers_of_the_same_value():
    back = from_line(
        to_line(_trial(Quantity("x", np.float32(0.1), "s", "lower", samples=(np.float64(0.3),))))
    )
    quantity = back.measurement.quantities[0]
    assert type(quantity.value) is float
    assert quantity.value == float(np.float32(0.1))
    assert quantity.samples == (0.3,)


def test_what_json_cannot_hold_is_refused_by_name():
    with pytest.raises(StorageError, match="object"):
        plain({"a": object()})


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"recipe": 1}', "null", '{"measurement": 3, "log": []}'])
def test_a_damaged_line_is_a_value_error(line):
    with pytest.raises(ValueError, match=r"."):
        from_line(line)


def _trial(quantity):
    return Trial("r", "r", "sha", None, "local", 0, Measurement("sha", "local", {}, (quantity,)))


def test_an_older_study_is_read_its_ratio_derived_and_its_doubts_of_one_kind_where_only_figures_differ() -> (
    None
):
    ratio = Quantity("latency_ratio", 0.9, "ratio", "lower", low=0.8, high=1.0)
    measured = Measurement("s", "local", {}, (ratio,))
    line = json.loads(to_line(Trial("int8", "int8", "s", None, "local", 0, measured)))
    line["measurement"]["doubts"] = [
        "other processes used 1.2 of 2 cores meanwhile",
        "other processes used 0.4 of 2 cores meanwhile",
    ]
    read = from_line(json.dumps(line)).measurement
    assert read.get("latency_ratio").how == "derived"
    assert [d.text for d in read.doubts] == line["measurement"]["doubts"]
    assert len({d.kind for d in read.doubts}) == 1
