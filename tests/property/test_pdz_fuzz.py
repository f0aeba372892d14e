"""Whatever stands in a .pdz file: the packed model, or a clear error."""

from __future__ import annotations

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

import nets
from paredown._compress.pack import pdz
from paredown.errors import ModelError
from paredown.graph.prepare import prepare


@cache
def good() -> tuple[bytes, bytes]:
    data = nets.compressed(prepare(nets.detector()), "sparse60+cluster-k4").model.data
    return data, pdz.pack(data)


def unpacked_or_refused(file: bytes) -> None:
    try:
        made = pdz.unpack(file)
    except ModelError:
        return
    assert made == good()[0]


@given(st.binary(max_size=200))
def test_any_bytes(text: bytes) -> None:
    unpacked_or_refused(text)
    unpacked_or_refused(pdz.MAGIC + text)


@settings(deadline=None)  # the first call may wait for a busy machine
@given(st.data())
def test_a_damaged_file(data: st.DataObject) -> None:
    file = bytearray(good()[1])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.one_of(st.integers(0, 80), st.integers(0, len(file) - 1)))
        file[at] = data.draw(st.integers(0, 255))
    unpacked_or_refused(bytes(file))


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.binary(max_size=20))
def test_a_file_cut_and_joined(start: int, end: int, between: bytes) -> None:
    file = good()[1]
    start, end = start % len(file), end % len(file)
    unpacked_or_refused(file[:start] + between + file[end:])
