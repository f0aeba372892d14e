"""A device spelled as a table reads back as itself; no other table is taken."""

from dataclasses import asdict, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paredown.device import Device
from paredown.errors import UnknownName
from paredown.targets.device_file import parse_device

words = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=12)
counts = st.none() | st.integers(1, 2**40)
devices = st.builds(
    Device,
    name=words,
    summary=words,
    runtimes=st.lists(words, min_size=1).map(tuple),
    arch=words,
    board=words,
    isa=st.lists(words).map(tuple),
    memory_bytes=st.lists(st.integers(1, 2**40)).map(tuple),
    threads=counts,
    sensors=st.lists(words).map(tuple),
    notes=st.lists(words).map(tuple),
)


@given(devices)
def test_a_device_reads_back(device: Device) -> None:
    table = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(device).items() if v is not None}
    assert parse_device(table, "x.toml") == device


@given(words.filter(lambda w: w not in {f.name for f in fields(Device)}))
def test_an_unknown_key_is_refused(key: str) -> None:
    with pytest.raises(UnknownName):
        parse_device({"name": "x", "summary": "x", key: 1}, "x.toml")
