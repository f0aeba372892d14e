"""Mixed precision: what holds for any figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paredown._compress.mixed.candidate import BYTES, Weights, narrowed
from paredown._compress.mixed.verify import POWERS, expected
from paredown._compress.quantize.placement.allocate import ALIKE, Point, front
from paredown._compress.quantize.placement.plan import Plan
from paredown._compress.quantize.sensitivity.activations import by_halves
from paredown.protocols import Lost

amounts = st.floats(0, 10, allow_subnormal=False)
names = st.text("abcdefgh", min_size=1, max_size=3)


@given(st.lists(st.tuples(amounts, amounts), min_size=1, max_size=30))
def test_a_front_dominates_all_but_what_costs_alike(
    figures: list[tuple[float, float]],
) -> None:
    points = [Point(frozenset(), Plan(), damage, price) for damage, price in figures]
    kept = front(points)
    for a in kept:
        assert not any(b.price <= a.price and b.damage < a.damage for b in points)
    for b in points:
        assert any(a.price <= b.price * (1 + ALIKE) and a.damage <= b.damage for a in kept)


@given(st.dictionaries(names, st.tuples(st.integers(512, 10_000), amounts), min_size=1), st.floats(0, 1e5))
def test_narrowing_saves_what_is_asked_or_all_there_is(
    layers: dict[str, tuple[int, float]], to_save: float
) -> None:
    size, damage = {n: s for n, (s, _) in layers.items()}, {n: d for n, (_, d) in layers.items()}
    weights = Weights(size, dict.fromkeys(size, 0.0), damage)
    after, added = narrowed(dict.fromkeys(size, "w8a8"), weights, to_save)
    taken = [n for n, choice in after.items() if choice == "w4a8"]
    saved = sum((BYTES["w8a8"] - BYTES["w4a8"]) * size[n] for n in taken)
    assert saved >= to_save or len(taken) == len(size)
    assert added == pytest.approx(sum(damage[n] for n in taken))
    if taken:  # without the last one it would not have been enough
        assert min(saved - size[n] / 2 for n in taken) < to_save


@given(st.dictionaries(names, amounts, min_size=1), amounts)
def test_halving_keeps_the_sum(damage: dict[str, float], enough: float) -> None:
    found = by_halves(list(damage), lambda items: sum(damage[i] for i in items), enough)
    assert found.keys() == damage.keys()
    assert sum(found.values()) == pytest.approx(sum(damage.values()))


@given(st.floats(1e-4, 0.1), st.floats(-5, 5), st.floats(0.01, 1), st.floats(-5, 20), st.floats(0.01, 1))
def test_what_is_expected_lies_between_judgement_and_curve(
    damage: float, points: float, noise: float, other: float, other_noise: float
) -> None:
    found = expected(damage, Lost(points, noise, "m", "i"), [(0.1, Lost(other, other_noise, "m", "i"))])
    curves = [max(0.0, other) * (damage / 0.1) ** p for p in POWERS]
    assert min(points, *curves) - 1e-6 <= found <= max(points, *curves) + 1e-6
