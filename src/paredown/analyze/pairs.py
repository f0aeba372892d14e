"""One candidate beside another: by how much they differ, whether that could be chance, and the words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from paredown.agreement import is_agreement
from paredown.analyze.kept import Kept, apart
from paredown.metrics import title_of
from paredown.statistics.confidence_interval import Difference, images_needed
from paredown.statistics.over_trials import LEVEL, holm


@dataclass(frozen=True)
class Beside:
    """What a candidate loses beside a reference, in points of the metric; negative where it gains.

    p_value: two-sided, of one comparison alone. corrected: by Holm's method for all comparisons of a table.
    needed: how many images would tell the two apart; None where these do, or none would.
    """

    lost: float
    low: float
    high: float
    p_value: float
    corrected: float
    n_images: int
    needed: int | None

    @property
    def same(self) -> bool:
        """Whether the two are not told apart, for there being so many comparisons."""
        return not self.corrected < LEVEL


def all_beside(reference: Kept, others: Mapping[str, Kept]) -> dict[str, Beside]:
    """Every one of the others beside the reference, by its name; those of other images are left out."""
    found = {name: d for name, kept in others.items() if (d := apart(reference, kept)) is not None}
    p_values = [sharp_p_value(d, reference, others[name]) for name, d in found.items()]
    corrected = holm(p_values)
    return {
        name: _beside(d, p, c, reference.n_images)
        for (name, d), p, c in zip(found.items(), p_values, corrected, strict=True)
    }


def sharp_p_value(found: Difference, a: Kept, b: Kept) -> float:
    """The p-value of the bootstrap; where no resample fell on the other side, that of a normal distribution
    of the resamples' spread: R resamples know no p-value below 2 / R, and Holm's correction needs them."""
    from scipy import stats

    least = min(len(a.resampled), len(b.resampled))
    if found.p_value > 2.5 / least or found.value == 0:
        return found.p_value
    error = float(np.nanstd(b.resampled[:least] - a.resampled[:least]))
    if error == 0:
        return found.p_value
    return min(found.p_value, float(2 * stats.norm.sf(abs(found.value) / error)))


def _beside(d: Difference, p_value: float, corrected: float, n_images: int) -> Beside:
    return Beside(
        lost=-100 * d.value + 0.0,
        low=-100 * d.high,
        high=-100 * d.low,
        p_value=p_value,
        corrected=corrected,
        n_images=n_images,
        needed=images_needed(d, n_images),
    )


def one_beside(d: Difference, n_images: int) -> Beside:
    """A difference b - a of a metric as what b loses beside a, the only comparison there is."""
    return _beside(d, d.p_value, d.p_value, n_images)


def sentence(name: str, other: str, found: Beside, metric: str) -> str:
    """ "int8 against float: 0.40 points lost of mAP50-95, 95 % CI -0.10..0.90. Not distinguishable on these
    197 images; about 900 would be needed." metric: its name; of agreement with float per cents are said."""
    less = round(found.lost, 2) >= 0
    low, high = (found.low, found.high) if less else (-found.high, -found.low)
    said = f"{name} against {other}: {amount(found, metric)}, 95 % CI {low:z.2f}..{high:z.2f}."
    return f"{said} {undecided(found)}".strip()


def amount(found: Beside, metric: str) -> str:
    """ "0.40 points lost of mAP50-95"; "0.40 % less agreement with the float model"."""
    less, value = round(found.lost, 2) >= 0, f"{abs(found.lost):.2f}"
    if is_agreement(metric):
        return f"{value} % {'less' if less else 'more'} {title_of(metric)}"
    return f"{value} points {'lost' if less else 'gained'} of {title_of(metric)}"


def undecided(found: Beside) -> str:
    """ "Not distinguishable on these 197 images; about 900 would be needed."; "" where the two are."""
    if found.low > 0 or found.high < 0:
        if not found.same:
            return ""
        return f"Told apart by itself, not as one of so many comparisons (p = {found.corrected:.2f}, Holm)."
    start = f"Not distinguishable on these {found.n_images} images"
    if found.needed is None:
        return f"{start}."
    return f"{start}; about {rough(found.needed)} would be needed."


def rough(count: int) -> str:
    """Two digits are all that such a figure is good for: 8731 is "8,700"."""
    return f"{round(count, 2 - len(str(count))):,}"
