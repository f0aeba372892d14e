"""The saturating kernel's model against loops written straight from the instructions' definition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paredown.numerics.saturate import kernel_rows, saturating_conv, saturating_matmul, share_at_risk

SEEDS = st.integers(0, 2**32 - 1)


def slow_matmul(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """One output after the other, one pair after the other, in Python's own integers."""
    answer = np.zeros((len(x), w.shape[1]), np.int32)
    for m, n in np.ndindex(*answer.shape):
        products = [int(a) * int(b) for a, b in zip(x[m], w[:, n], strict=True)]
        for pair in itertools.zip_longest(products[::2], products[1::2], fillvalue=0):
            answer[m, n] += max(-32768, min(32767, sum(pair)))
    return answer


def draw(seed: int, m: int, k: int, n: int, top: int = 127) -> tuple[np.ndarray, np.ndarray]:
    """Activations and weights, loud ones oftener than chance would have it."""
    rng = np.random.default_rng(seed)
    x = np.clip(rng.integers(-100, 400, (m, k)), 0, 255).astype(np.uint8)
    return x, np.clip(rng.integers(-2 * top, 2 * top, (k, n)), -top, top).astype(np.int8)


@given(SEEDS, st.integers(1, 4), st.integers(1, 9), st.integers(1, 4))
def test_matmul_is_the_instructions_one_by_one(seed: int, m: int, k: int, n: int) -> None:
    x, w = draw(seed, m, k, n)
    assert np.array_equal(saturating_matmul(x, w), slow_matmul(x, w))


@given(SEEDS, st.integers(1, 4), st.integers(1, 40), st.integers(1, 4))
def test_seven_bits_never_saturate(seed: int, m: int, k: int, n: int) -> None:
    x, w = draw(seed, m, k, n, top=64)
    assert np.array_equal(saturating_matmul(x, w), x.astype(np.int32) @ w.astype(np.int32))
    assert share_at_risk(w) == 0


@given(st.integers(-128, 127), st.integers(-128, 127))
def test_a_pair_at_risk_is_one_that_some_activations_saturate(first: int, second: int) -> None:
    w = np.array([[first], [second]], np.int8)
    loudest = [np.array([[a, b]], np.uint8) for a in (0, 255) for b in (0, 255)]
    saturates = any(saturating_matmul(x, w) != x.astype(np.int32) @ w.astype(np.int32) for x in loudest)
    assert share_at_risk(w) == float(saturates)


@pytest.mark.parametrize("groups", [1, 2])
@given(seed=SEEDS, stride=st.integers(1, 2), pad=st.integers(0, 2), dilation=st.integers(1, 2))
def test_conv_is_the_matmul_in_channels_last_order(
    groups: int, seed: int, stride: int, pad: int, dilation: int
) -> None:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (1, 3 * groups, 5, 6), dtype=np.uint8)
    kernels = rng.integers(-127, 128, (2 * groups, 3, 3, 2)).astype(np.int8)
    zero = int(rng.integers(0, 256))
    answer = saturating_conv(
        images,
        kernels,
        zero,
        strides=(stride, stride),
        pads=(pad, pad, pad, pad),
        dilations=(dilation, dilation),
        groups=groups,
    )
    padded = np.pad(images, ((0, 0), (0, 0), (pad, pad), (pad, pad)), constant_values=zero)
    for o, i, j in np.ndindex(*answer.shape[1:]):
        group = 3 * (o // 2)
        rows = [
            padded[0, group + c, i * stride + y * dilation, j * stride + x * dilation]
            for y, x, c in itertools.product(range(3), range(2), range(3))
        ]
        weight = kernel_rows(kernels[o : o + 1])
        expected = slow_matmul(np.array([rows], np.uint8), weight) - zero * weight.astype(np.int32).sum()
        assert answer[0, o, i, j] == expected[0, 0]


@given(SEEDS)
def test_a_depthwise_convolution_is_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (1, 2, 4, 4), dtype=np.uint8)
    kernels = rng.integers(-127, 128, (2, 1, 3, 3)).astype(np.int8)
    answer = saturating_conv(images, kernels, 7, groups=2)
    for c, i, j in np.ndindex(2, 2, 2):
        window = images[0, c, i : i + 3, j : j + 3].astype(np.int32) - 7
        assert answer[0, c, i, j] == (window * kernels[c, 0]).sum()
