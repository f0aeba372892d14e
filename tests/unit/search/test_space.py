"""The grammar of recipes: every name parses and comes back; devices and named recipes bound it."""

import pytest

from paredown._compress.mixed.mix import Mixed
from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Recipe
from paredown._compress.steps import STEPS
from paredown.device import Device
from paredown.runtimes.onnxruntime import policy
from paredown.search.space import NEEDS_TORCH, REQUESTED, SCHEMES, SLOTS, SPELLED, Space, space_for

POLICY = policy(Device("any", ""))


def test_every_name_parses_is_spelled_as_derived_and_comes_back():
    pytest.importorskip("torch")
    named = "sparse30+distill-minutes5+w8a8-pc-mse+adaround+qat-minutes2"
    space = space_for(POLICY, [parse_recipe(named)])
    assert space.choices(named)["pruning"] == "sparse30+distill-minutes5+"
    names = list(space.names())
    assert len(names) == len(set(names)) > 5000
    for name in names[::5]:
        assert parse_recipe(name).name == name
        choices = space.choices(name)
        assert space.spell(lambda slot, words, chosen=choices: chosen[slot]) == name


def test_a_hand_made_space_spells_what_it_should():
    space = Space({"a": "x{end}", "b": "{start}y"}, {"start": ("", "q+"), "end": ("", "-1")})
    assert list(space.names()) == ["x", "x-1", "y", "q+y"]
    assert space.choices("q+y") == {"scheme": "b", "start": "q+"}
    assert space.choices("x") == {"scheme": "a", "end": ""}
    assert space.choices("x-12") is None
    assert space.choices("q+x") is None


def test_what_people_ask_for_by_name_lies_in_the_space():
    space = space_for(POLICY, [])
    inside = {
        "int8": "int8",
        "int8-minmax": "int8",
        "int8-per-tensor": "int8",
        "int4": "int4",
        "int8-dynamic": "dynamic",
        "int8-weights": "stored-int8",
    }
    for preset, scheme in inside.items():
        choices = space.choices(parse_recipe(preset).name)
        assert choices is not None, preset
        assert choices["scheme"] == scheme, preset
    for stock in ("ort-static", "ort-dynamic"):
        assert space.choices(parse_recipe(stock).name) is None


def test_learning_is_in_it_as_it_was_named_and_only_where_torch_is(monkeypatch):
    named = [parse_recipe("w8a8-pc-mse+qat-minutes2"), parse_recipe("int4-qat")]
    assert not any("qat" in name for name in space_for(POLICY, []).names())
    monkeypatch.setattr("paredown.search.space.find_spec", lambda name: None)
    assert not any("qat" in name for name in space_for(POLICY, named).names())
    monkeypatch.setattr("paredown.search.space.find_spec", lambda name: name)
    assert space_for(POLICY, named).slots["learning"] == ("", "+qat-minutes2", "+qat-rate0.0001")


def test_mixed_is_in_it_with_parts_of_the_loss_that_it_was_named_with():
    space = space_for(POLICY, [Recipe((Mixed(drop=0.8),))])
    assert space.slots["mixed"] == tuple(Mixed(drop=drop).name for drop in (0.8, 0.4, 0.2))
    assert space.choices(f"cle+{Mixed(drop=0.4).name}")["scheme"] == "mixed"
    assert "mixed" not in space_for(POLICY, []).schemes


def test_a_device_gets_only_what_its_kernels_compute():
    per_tensor = list(space_for(policy(Device("old", "", per_channel=False)), []).names())
    assert not any("-pc" in name or "dynamic" in name for name in per_tensor)
    assert "w8a8-pt-mse" in per_tensor
    float_only = set(space_for(policy(Device("signed", "", activations="int8")), []).names())
    assert float_only == {
        f"{cle}{stored}" for cle in ("", "cle+") for stored in ("w8-pc", "w8-pt", "cluster")
    }


def test_the_tables_know_each_other():
    used = "".join(SCHEMES.values())
    for slot in SLOTS:
        assert f"{{{slot}}}" in used, f"no scheme has the slot {slot}"
    assert set(REQUESTED) <= set(STEPS)
    assert set(REQUESTED.values()) == set(SPELLED) <= set(SLOTS)
    assert set(NEEDS_TORCH) <= set(REQUESTED)
