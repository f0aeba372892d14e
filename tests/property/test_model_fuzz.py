"""A broken ONNX file gives a Model or a ParedownError, never anything else, and soon."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nets
from paredown.errors import ParedownError
from paredown.graph.load import load_model
from paredown.graph.prepare import prepare
from paredown.model import Model

WHOLE = nets.classifier().data
SMALL = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LIMIT_S = 10.0  # of one file; what is measured is far below, a shared machine may stall


def load(data: bytes, folder: Path) -> Model | None:
    path = folder / "broken.onnx"
    path.write_bytes(data)
    started = time.monotonic()
    try:
        return load_model(path)
    except ParedownError:
        return None
    finally:
        assert time.monotonic() - started < LIMIT_S


@SMALL
@given(cut=st.integers(0, len(WHOLE) - 1))
def test_truncations(cut: int, tmp_path: Path) -> None:
    assert load(WHOLE[:cut], tmp_path) is None


@SMALL
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_changed_bytes(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for place, byte in changes:
        data[place] = byte
    load(bytes(data), tmp_path)


@SMALL
@given(st.integers(0, 250), st.integers(0, 255))
def test_changed_bytes_where_the_structure_stands(tmp_path: Path, place: int, byte: int) -> None:
    """The first nodes and, from the end, the outputs and opsets: not the weights."""
    for where in (place, len(WHOLE) - 1 - place):
        data = bytearray(WHOLE)
        data[where] = byte
        load(bytes(data), tmp_path)


@SMALL
@given(st.integers(0, len(WHOLE)), st.integers(1, 64), st.binary(max_size=64))
def test_pieces_cut_out_and_put_in(tmp_path: Path, place: int, length: int, piece: bytes) -> None:
    load(WHOLE[:place] + piece + WHOLE[place + length :], tmp_path)


@SMALL
@given(st.binary(max_size=300))
def test_noise(tmp_path: Path, noise: bytes) -> None:
    load(noise, tmp_path)


@pytest.mark.parametrize("seed", range(25))
def test_what_still_loads_prepares_or_is_refused(tmp_path: Path, seed: int) -> None:
    """Flips in the structure; most are refused at loading, the rest must not get past preparing unnoticed."""
    rng = np.random.default_rng(seed)
    data = bytearray(WHOLE)
    for place in rng.integers(0, 300, 2):
        data[int(place)] ^= 1 << int(rng.integers(8))
    model = load(bytes(data), tmp_path)
    if model is not None:
        try:
            prepare(model)
        except ParedownError:
            return
