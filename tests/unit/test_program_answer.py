"""A program that is asked once: its answer, or why there is none, within a time."""

import pytest

from paredown.errors import TargetError
from paredown.hosts.program import Program
from paredown.program_answer import answer_of


def sh(script: str) -> Program:
    return Program(["/bin/sh", "-c", script])


def test_it_gives_what_was_answered_to_what_was_given() -> None:
    assert answer_of(sh('read x; echo "[$x]"'), "no", 5, b"3\n") == [3]


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("sleep 60", "no answer within 0.2 s"),
        ("echo one >&2; echo two >&2; echo three >&2; exit 4", "two; three"),
        ("exit 4", "exit code 4"),
        ("echo nonsense", "it answered"),
    ],
)
def test_why_there_is_none_is_told(script: str, text: str) -> None:
    with pytest.raises(TargetError, match="it failed") as told:
        answer_of(sh(script), "it failed", 0.2 if "sleep" in script else 5)
    assert text in str(told.value)
