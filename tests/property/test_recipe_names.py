"""A recipe's name parses back to the recipe, for every step and every setting."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paredown._compress.order import check_order
from paredown._compress.presets import PRESETS, parse_recipe, spelled
from paredown._compress.recipe import Recipe, Step
from paredown._compress.size import Size
from paredown._compress.steps import STEPS
from paredown.errors import UsageError


def steps_of(kind: type[Step]) -> st.SearchStrategy[Step]:
    """Any setting of a step: every field one of its words, or a number of its type."""
    hints = get_type_hints(kind)
    values: dict[str, st.SearchStrategy[Any]] = {}
    for f in fields(kind):
        choices = get_args(hints[f.name])
        numbers = (
            st.integers(1 if kind is Size else 0, 10**6)  # no size has no pixels
            if hints[f.name] is int
            else st.floats(0.001, 999).map(lambda x: round(x, 3))
        )
        values[f.name] = st.sampled_from(choices) if choices else numbers
    return st.builds(kind, **values)


ANY_STEP = st.one_of([steps_of(kind) for kind, _ in STEPS.values()])


@settings(max_examples=300, deadline=None)
@given(st.lists(ANY_STEP, max_size=4))
def test_names_parse_back(steps: list[Step]) -> None:
    recipe = Recipe(tuple(steps))
    assert spelled(recipe.name) == recipe
    try:
        check_order(recipe)
    except UsageError:
        with pytest.raises(UsageError, match="cannot do anything at its place"):
            parse_recipe(recipe.name)
    else:
        assert parse_recipe(recipe.name) == recipe


ORDERS = ["cle+gates+w8a8+gptq+bc+qat", "w4a8+gptq+pack", "prune30+sparse50+cluster+distill", "xnor+qat"]
ORDERS += ["w8a8+gptq+cluster", "w2a8+adaround+qat+pack", "prune30+distill+mix", "mix+qat", "sparse50+w8"]
SENSELESS = ["w4a8+pack+qat", "w8a8+pack", "gptq+w8a8", "w8a8+cle", "cluster+w8a8", "w8a8+distill", "qat"]
SENSELESS += ["w8a8+cluster+qat", "mix-mb2+qat", "w8a8+w8a8", "distill", "dynamic+gptq", "xnor+gptq"]


@pytest.mark.parametrize("recipe", ORDERS)
def test_steps_that_find_what_they_need(recipe: str) -> None:
    assert parse_recipe(recipe) == spelled(recipe)


@pytest.mark.parametrize("recipe", SENSELESS)
def test_a_step_that_could_do_nothing_is_refused_with_a_hint(recipe: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_recipe(recipe)
    assert "hint: " in str(refused.value)


def test_the_hint_says_where_the_step_could_stand() -> None:
    with pytest.raises(UsageError, match="put qat in front of pack"):
        parse_recipe("w4a8+pack+qat")
    with pytest.raises(UsageError, match="put pack behind w4a8 or w2a8"):
        parse_recipe("w8a8+pack")


@pytest.mark.parametrize("kind", STEPS)
def test_the_default_of_every_step(kind: str) -> None:
    step = STEPS[kind][0]()
    assert step.kind == kind
    assert spelled(kind) == spelled(step.name) == Recipe((step,))
    assert step.summary


@pytest.mark.parametrize("kind", STEPS)
def test_every_word_belongs_to_one_field(kind: str) -> None:
    hints = get_type_hints(STEPS[kind][0])
    words = [w for f in fields(STEPS[kind][0]) for w in get_args(hints[f.name]) if w]
    assert len(words) == len(set(words))
    assert not [w for w in words if "-" in w or "+" in w]


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_name_recipes(preset: str) -> None:
    recipe = parse_recipe(preset)
    assert recipe.steps
    assert parse_recipe(recipe.name) == recipe


@dataclass(frozen=True)
class Numbers(Step):
    """A step with a word and two numbers: no entry of the table has numbers yet, the noun knows them."""

    kind: ClassVar[str] = "numbers"
    summary: ClassVar[str] = ""

    mode: Literal["", "fast"] = ""
    k: int = 4
    tail: float = 0.5


@dataclass(frozen=True)
class Amount(Step):
    kind: ClassVar[str] = "amount"
    summary: ClassVar[str] = ""
    amount: ClassVar[str] = "percent"

    percent: float = 30.0
    how: Literal["", "taylor"] = ""


@given(steps_of(Amount))
def test_an_amount_stands_right_behind_the_kind(step: Amount) -> None:
    assert step.name.startswith("amount" + f"{step.percent:g}"[:1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(STEPS, "amount", (Amount, STEPS["cle"][1]))
        assert parse_recipe(step.name) == Recipe((step,))
        assert parse_recipe("amount").name == "amount30"


@given(steps_of(Numbers))
def test_numbers_parse_back(step: Step) -> None:
    kind, *words = step.name.split("-")
    assert kind == "numbers"
    assert Numbers.parse(words) == step


@given(st.text(max_size=30))
def test_any_text_gives_a_recipe_or_a_usage_error(text: str) -> None:
    try:
        recipe = parse_recipe(text)
    except UsageError:
        return
    assert parse_recipe(recipe.name) == recipe


@given(st.sampled_from(sorted(STEPS)), st.text("abcpt0123456789-.", max_size=12))
def test_any_words_behind_a_kind(kind: str, words: str) -> None:
    try:
        recipe = spelled(f"{kind}-{words}")
    except UsageError:
        return
    assert spelled(recipe.name) == recipe
