"""A runtime as anyone may add one: the reference's answers, and nothing in integers."""

from __future__ import annotations

from dataclasses import replace

from paredown.device import Device
from paredown.policy import Policy
from paredown.runtimes import reference
from paredown.runtimes.reference import MULTITHREADED, SHIPS, build, node_times, open, version

__all__ = ["MULTITHREADED", "SHIPS", "build", "node_times", "open", "policy", "version"]


def policy(device: Device) -> Policy:
    """Everything stays float."""
    nothing = frozenset[str]()
    return replace(reference.policy(device), name="scalar", kernel=nothing, same=nothing, absorbed=nothing)
