"""Several trials of the same thing, seed by seed: mean and spread, paired tests, many comparisons at once.

Letters: n trials of one recipe, m comparisons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paredown.errors import DataError

LEVEL = 0.05  # a difference with a corrected p-value below it counts as one


@dataclass(frozen=True)
class Spread:
    """Of n values: their mean and standard deviation (n - 1; nan of a single value)."""

    n: int
    mean: float
    std: float

    def __str__(self) -> str:
        return (
            f"{self.mean:.2f} ± {self.std:.2f} (n = {self.n})" if self.n > 1 else f"{self.mean:.2f} (n = 1)"
        )


@dataclass(frozen=True)
class PairedTests:
    """Two recipes on the same seeds: b - a, and the two-sided p-values of there being no difference.

    t_test: assumes normal differences. wilcoxon: the signed-rank test, assumes symmetric ones. nan where the
    trials are too few for any answer.
    """

    difference: Spread
    t_test: float
    wilcoxon: float


def spread(values: Sequence[float]) -> Spread:
    """Mean and standard deviation. Raises DataError for no value."""
    if not len(values):
        raise DataError("no trial to take a mean of", got=0, expected="one or more")
    found = np.asarray(values, np.float64)
    return Spread(
        len(found), float(found.mean()), float(found.std(ddof=1)) if len(found) > 1 else float("nan")
    )


def paired_tests(a: Sequence[float], b: Sequence[float]) -> PairedTests:
    """The tests on a (n,) and b (n,): the same seeds in the same order.

    Source: Student, The probable error of a mean, 1908; F. Wilcoxon, Individual comparisons by ranking
    methods, 1945 (both as scipy.stats has them; ties get mean ranks, zeros are left out).

    Raises: DataError where the two are not of one length.
    """
    from scipy import stats

    if len(a) != len(b):
        raise DataError("paired tests need the same trials of both", got=f"{len(a)} and {len(b)}")
    gaps = np.asarray(b, np.float64) - np.asarray(a, np.float64)
    found = spread(gaps.tolist())
    if len(gaps) < 2:
        return PairedTests(found, float("nan"), float("nan"))
    if not gaps.any():
        return PairedTests(found, 1.0, 1.0)
    # Where every trial differs by the same there is no spread to hold the difference against.
    t_test = 0.0 if found.std == 0 else float(stats.ttest_1samp(gaps, 0.0).pvalue)
    return PairedTests(found, t_test, float(stats.wilcoxon(gaps, zero_method="wilcox").pvalue))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """The p-values (m,) corrected for there being m of them: never smaller than before, in the order given.

    The chance that any of the true null hypotheses is rejected at a level stays below that level. nan stays
    nan and counts for nothing.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    p = np.asarray(p_values, np.float64)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    m = len(order)
    corrected = np.full(len(p), np.nan)
    corrected[order] = np.minimum(np.maximum.accumulate((m - np.arange(m)) * p[order]), 1.0)
    return tuple(float(x) for x in corrected)
