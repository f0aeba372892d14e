"""What one recipe found out about a model and the next need not find out again.

Recipes of a study start from one float model and calibrate on the same images with the same seed. What steps
learn there is kept by what decides it: the sha256 of the model that was looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from paredown.numerics.ranges import Seen

MODELS = 2  # whose calibration is held at once: the float model, and what a recipe makes of it


@dataclass
class Kept:
    """For one set of calibration images and one seed.

    seen: model -> tensor -> what calibration saw of it. by_objects: model -> its first calibration images by
    number, the one with most objects first.
    """

    seen: dict[str, dict[str, Seen]] = field(default_factory=dict)
    by_objects: dict[str, Sequence[int]] = field(default_factory=dict)

    def calibration(self, sha256: str) -> dict[str, Seen]:
        """What was seen so far of that model's tensors."""
        return dict(self.seen.get(sha256, {}))

    def add_calibration(self, sha256: str, seen: Mapping[str, Seen]) -> None:
        """Holds what was seen of more of a model's tensors; of the models, the last `MODELS`."""
        self.seen[sha256] = {**self.seen.pop(sha256, {}), **seen}
        for oldest in list(self.seen)[:-MODELS]:
            del self.seen[oldest]
