"""Every step in STEPS, as it is by default, passes `paredown.testing.steps` on every tiny network."""

from __future__ import annotations

import pytest

from paredown._compress.size import Size
from paredown._compress.steps import STEPS
from paredown.testing import networks, steps

SMALL_STEPS = {"size": Size(24)}  # the networks are 16 x 16


@pytest.mark.parametrize("check", steps.CHECKS)
@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("network", networks.NETS)
def test_every_step(network, kind, check):
    step = SMALL_STEPS.get(kind) or STEPS[kind][0]()
    check(step, network)
