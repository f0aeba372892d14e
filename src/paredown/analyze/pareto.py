"""The Pareto front: what no other candidate beats in every respect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paredown.errors import DataError
from paredown.quantities import Better


def pareto_front(points: Sequence[Sequence[float]], better: Sequence[Better]) -> tuple[int, ...]:
    """Indices of the points that no other point dominates, in the order given.

    A point dominates another that it equals or betters in every respect and betters in one. Equal points all
    stay. A point with a nan is in no front; a respect of which neither is better is not looked at.
    """
    if not points:
        return ()
    if any(len(p) != len(better) for p in points):
        raise DataError(
            "each point needs a value for each respect", got=[len(p) for p in points], expected=len(better)
        )
    used = [i for i, b in enumerate(better) if b != "neither"]
    signs = np.array([-1.0 if better[i] == "higher" else 1.0 for i in used])
    cost = np.asarray(points, np.float64)[:, used] * signs  # (n, k), lower is better
    comparable = ~np.isnan(cost).any(axis=1)
    no_worse = (cost[:, None] <= cost[None]).all(-1)
    better_somewhere = (cost[:, None] < cost[None]).any(-1)
    dominated = (no_worse & better_somewhere & comparable[:, None]).any(axis=0)
    return tuple(int(i) for i in np.flatnonzero(comparable & ~dominated))
