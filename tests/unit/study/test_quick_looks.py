"""What a pair can be at best, and which pair goes first."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from made_up_trials import trial

from paredown._compress.presets import parse_recipe
from paredown.study.pairs import Pair
from paredown.study.quick_looks import CHOOSING, LIKE, SLACK, at_best, likely_s, promise


def pair(recipe: str, runtime: str = "openvino", computed: tuple[str, ...] = (), clock: bool = False) -> Pair:
    """clock: whether the runtime tells what nodes take."""
    policy = SimpleNamespace(computed=frozenset(computed))
    time_nodes = (lambda: list) if clock else (lambda: None)
    place = SimpleNamespace(runtime=runtime, policy=policy, time_nodes=time_nodes, name="local")
    work: Any = SimpleNamespace(bench=SimpleNamespace(target=place))
    return Pair(work, parse_recipe(recipe), recipe)


def test_only_what_chooses_layer_by_layer_may_be_faster_than_all_in_integers():
    assert at_best(pair("int8"), 0.5, 0.4) == LIKE * 0.5
    assert at_best(pair("mixed"), 0.5, 0.4) == SLACK * 0.4
    assert at_best(pair("int8", clock=True), 0.5, 0.4) == SLACK * 0.4
    assert at_best(pair("int8", clock=True), 0.5, 0.9) == LIKE * 0.5  # so fast that it leaves nothing float
    assert at_best(pair("int8-minmax", clock=True), 0.5, 0.4) == LIKE * 0.5


@pytest.mark.parametrize("known", [None, 0.4])
def test_what_is_ready_at_once_goes_first_and_what_takes_long_last(known: float | None):
    names = ("int8-weights", "mixed", "int8-minmax", "int8", "bf16", "fp16")
    all_of = [pair(n, computed=("bfloat16",)) for n in names]
    found = sorted(all_of, key=lambda p: promise(p, all_of, known))
    assert [p.label for p in found] == ["bf16", "int8-minmax", "int8", "mixed", "int8-weights", "fp16"]


def test_every_runtime_gets_its_first_recipe_before_any_gets_its_second():
    all_of = [pair(n, r) for r in ("openvino", "litert") for n in ("int8", "int8-minmax")]
    takes = {"openvino": 0.4, "litert": 0.5}
    found = sorted(all_of, key=lambda p: promise(p, all_of, takes[p.runtime]))
    assert [(p.label, p.runtime) for p in found] == [
        ("int8", "openvino"), ("int8", "litert"), ("int8-minmax", "openvino"), ("int8-minmax", "litert"),
    ]  # fmt: skip


def test_how_long_a_recipe_is_likely_to_take():
    made = replace(trial("int8-minmax", 0.4), seconds={"compress": 30.0})
    assert likely_s(pair("int8-minmax"), [replace(made, recipe=parse_recipe("int8-minmax").name)]) == 30.0
    assert likely_s(pair("int8"), [made]) == 0.0
    assert likely_s(pair("mixed"), [made]) == CHOOSING * 30.0
    assert likely_s(pair("mixed"), []) == 0.0
