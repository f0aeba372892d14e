"""Every step in STEPS, as it is by default, passes `paredown.testing.steps` on every tiny network."""

from __future__ import annotations

import pytest

from paredown._compress.steps import STEPS
from paredown.testing import networks, steps


@pytest.mark.parametrize("check", steps.CHECKS)
@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("network", networks.NETS)
def test_every_step(network, kind, check):
    check(STEPS[kind][0](), network)
