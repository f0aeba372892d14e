"""Integer products as x86 without VNNI computes them: sums of two products saturate at 16 bits. Bit-exact.

The instruction vpmaddubsw multiplies uint8 by int8 and adds each two neighbours in an int16, which saturates;
only then vpmaddwd widens to int32 and vpaddd accumulates:

    acc[m, n] = sum_j clip(x[m, 2j] w[2j, n] + x[m, 2j+1] w[2j+1, n], -2^15, 2^15 - 1)

An 8-bit weight can lose up to half of a pair (2 * 255 * 127 = 64770). A 7-bit weight, |w| <= 64, never does.

Source: MLAS, ONNX Runtime's kernels (QgemmU8S8KernelAvx2.S, QgemvU8S8KernelAvx2.S, ConvSymKernelAvx2.S). All
of them pair rows 2j and 2j + 1 of the weight matrix, an odd last row with zero. A convolution is such a
product in channels-last order: its rows run over kernel row, kernel column, input channel, the channel
fastest, so pairs are neighbouring channels where their number is even. Padding is the input's zero point and
takes part. Depthwise convolutions (one input and one output channel in a group) and ConvInteger use exact
kernels. tests/e2e/test_emulated_cpu.py compares this file with ONNX Runtime on an emulated CPU, bit for bit.

Shapes: x: (M, K) uint8; w: (K, N) int8; images: (B, C, H, W) uint8; kernels: (O, C / groups, Kh, Kw) int8.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Activations = NDArray[np.uint8]
Weights = NDArray[np.int8]
Sums = NDArray[np.int32]

_LOW, _HIGH = np.iinfo(np.int16).min, np.iinfo(np.int16).max
_LOUDEST = 255  # the largest activation


def saturating_matmul(x: Activations, w: Weights) -> Sums:
    """x @ w as summed by the saturating kernel, (M, N). Zero points are the caller's affair."""
    if len(w) % 2:
        x, w = np.pad(x, ((0, 0), (0, 1))), np.pad(w, ((0, 1), (0, 0)))
    wide_x, wide_w = x.astype(np.int32), w.astype(np.int32)
    total = np.zeros((len(x), w.shape[1]), np.int32)
    for k in range(0, len(w), 2):
        pair = wide_x[:, k, None] * wide_w[None, k] + wide_x[:, k + 1, None] * wide_w[None, k + 1]
        total += np.clip(pair, _LOW, _HIGH)
    return total


def saturating_conv(
    images: Activations,
    kernels: Weights,
    zero_point: int,
    *,
    strides: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilations: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Sums:
    """The convolution of (images - zero_point) with the kernels, (B, O, Ho, Wo), before bias and scale.

    pads: top, left, bottom, right.
    """
    windows = _windows(images, kernels.shape[2:], zero_point, strides, pads, dilations)
    inner, outer = kernels.shape[1], len(kernels) // groups
    multiply = _exact_matmul if groups > 1 and inner == outer == 1 else saturating_matmul
    answers = []
    for group in range(groups):
        x = windows[..., group * inner : (group + 1) * inner]
        w = kernel_rows(kernels[group * outer : (group + 1) * outer])
        flat = multiply(np.ascontiguousarray(x).reshape(-1, len(w)), w)
        flat -= zero_point * w.astype(np.int32).sum(axis=0)
        answers.append(flat.reshape(*windows.shape[:3], outer))
    return np.concatenate(answers, axis=-1).transpose(0, 3, 1, 2)


def kernel_rows(kernels: Weights) -> Weights:
    """Kernels (O, I, Kh, Kw) as the weight matrix of the product, (Kh * Kw * I, O)."""
    return kernels.transpose(2, 3, 1, 0).reshape(-1, len(kernels))


def share_at_risk(w: Weights) -> float:
    """The share of the pairs of a weight matrix that saturate for some activations."""
    pairs = np.pad(w, ((0, len(w) % 2), (0, 0))).astype(np.int32).reshape(-1, 2, w.shape[1])
    highest = _LOUDEST * np.maximum(pairs, 0).sum(axis=1)
    lowest = _LOUDEST * np.minimum(pairs, 0).sum(axis=1)
    return float(np.mean((highest > _HIGH) | (lowest < _LOW)))


def _exact_matmul(x: Activations, w: Weights) -> Sums:
    return x.astype(np.int32) @ w.astype(np.int32)


def _windows(
    images: Activations,
    size: tuple[int, ...],
    padding: int,
    strides: tuple[int, int],
    pads: tuple[int, int, int, int],
    dilations: tuple[int, int],
) -> Activations:
    """What each output position reads, (B, Ho, Wo, Kh, Kw, C)."""
    top, left, bottom, right = pads
    padded = np.pad(images, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=padding)
    spans = tuple(d * (k - 1) + 1 for k, d in zip(size, dilations, strict=True))
    views = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=(2, 3))
    views = views[:, :, :: strides[0], :: strides[1], :: dilations[0], :: dilations[1]]
    return views.transpose(0, 2, 3, 4, 5, 1)
