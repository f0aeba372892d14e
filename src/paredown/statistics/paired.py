"""Is one model better than the other on the same images? A test that assumes no distribution.

Source: R. A. Fisher, The Design of Experiments, 1935, section 21 (the sign-flip randomisation test).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FLIPS = 10_000
_EXACT_UP_TO = 13  # 2**13 sign patterns are fewer than FLIPS: all of them are tried


def sign_flip_test(gaps: NDArray[np.float64], seed: int = 0) -> float:
    """The two-sided p-value of paired differences `gaps` (n,) having mean zero; 1 where none differs.

    If the two models were equal, each difference could as well have had the other sign.
    """
    different = gaps[~np.isnan(gaps) & (gaps != 0)]
    n = len(different)
    if n == 0:
        return 1.0
    seen = abs(different.sum()) * (1 - 1e-12)  # rounding must not turn an equal sum into a smaller one
    if n <= _EXACT_UP_TO:
        bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        return float((abs((1 - 2 * bits) @ different) >= seen).mean())
    signs = np.random.default_rng(seed).integers(0, 2, (FLIPS, n), np.int8) * 2 - 1
    return float(((abs(signs @ different) >= seen).sum() + 1) / (FLIPS + 1))
