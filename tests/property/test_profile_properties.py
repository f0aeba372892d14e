"""A profile spelled as a table reads back as itself; no other table is taken."""

from dataclasses import asdict, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paredown.errors import UnknownName
from paredown.profile import Profile
from paredown.targets.profile_file import parse_profile

words = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=12)
counts = st.none() | st.integers(1, 2**40)
profiles = st.builds(
    Profile,
    name=words,
    summary=words,
    runtime=words,
    arch=words,
    board=words,
    isa=st.lists(words).map(tuple),
    memory_bytes=counts,
    threads=counts,
    sensors=st.lists(words).map(tuple),
    notes=st.lists(words).map(tuple),
)


@given(profiles)
def test_a_profile_reads_back(profile: Profile) -> None:
    table = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(profile).items() if v is not None}
    assert parse_profile(table, "x.toml") == profile


@given(words.filter(lambda w: w not in {f.name for f in fields(Profile)}))
def test_an_unknown_key_is_refused(key: str) -> None:
    with pytest.raises(UnknownName):
        parse_profile({"name": "x", "summary": "x", key: 1}, "x.toml")
