"""Which classes the plot of losses and gains shows where there are more than can be read."""

from __future__ import annotations

import pytest

from paredown._report.per_class import CHANGES_SHOWN, ClassLine, _largest


@pytest.mark.parametrize(
    ("losses", "gains", "words"),
    [
        (12, 8, "all classes that changed"),
        (40, 40, "the 10 largest losses and 10 largest gains"),
        (60, 3, "the 17 largest losses and 3 largest gains"),
        (3, 60, "the 3 largest losses and 17 largest gains"),
        (60, 0, "the 20 largest losses"),
        (0, 60, "the 20 largest gains"),
    ],
)
def test_no_loss_is_called_a_gain(losses: int, gains: int, words: str) -> None:
    changes = sorted([*(-0.001 * (i + 1) for i in range(losses)), *(0.001 * (i + 1) for i in range(gains))])
    lines = [ClassLine(str(i), 0, 0.5, 0.5 + change) for i, change in enumerate(changes)]
    shown, said = _largest(lines)
    assert said == words
    assert len(shown) == CHANGES_SHOWN
    if "largest" in said:
        lost = [line for line in shown if line.change < 0]
        assert lost == lines[: len(lost)]
        assert [*shown[len(lost) :]] == lines[len(lines) - (CHANGES_SHOWN - len(lost)) :]
