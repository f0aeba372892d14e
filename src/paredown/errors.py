"""Every error Paredown raises on purpose, in one tree.

    ParedownError                    exit 1
    |-- UsageError                   exit 2   what was asked for does not exist or does not parse
    |   `-- UnknownName                       a name that is in no table (with a did-you-mean)
    |-- CardError                    exit 2   a card that contradicts the model, or none could be found
    |-- ModelError                   exit 1   a file that is no usable ONNX model
    |   `-- UnsupportedModel                  a valid model that this operation cannot take
    |-- DataError                    exit 1   a data set that cannot be read
    |   `-- ImageError                        one image that cannot be read
    |-- CalibrationError             exit 1   activations that give no usable range
    |-- TargetError                  exit 1   a runtime or device that refused
    |   `-- ConnectionLost                    the way to a host broke: what was in flight may be done again
    |-- StorageError                 exit 1   disk full, no permission, directory in use
    |-- OutOfMemory                  exit 1   the system gave no more memory
    |-- MissingDependency            exit 1   an optional package that is not installed
    `-- GateNotMet                   exit 3   the work is done, the limit asked for was not met

The text of an error says what was wrong, what was got, what was expected, and a hint: one line each, cut so
that all fits a screen. What models, data sets or files call things is made harmless for a terminal. The
attributes hold everything whole.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from paredown.printable import printable

LONGEST = 400  # characters of one part of an error
MOST_LINES = 15  # of a hint: together with the rest, a screen


class ParedownError(Exception):
    """Base of the tree. `what` is one sentence; the other parts are shown on lines of their own."""

    exit_code = 1

    def __init__(
        self, what: str, *, got: object = None, expected: object = None, hint: str | None = None
    ) -> None:
        self.what, self.got, self.expected, self.hint = what, got, expected, hint
        lines = [_line(what)]
        if got is not None:
            lines.append(f"  got: {_line(got)}")
        if expected is not None:
            lines.append(f"  expected: {_line(expected)}")
        if hint is not None:
            lines.append(f"  hint: {_lines(hint)}")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[object, ...]:
        """Its parts, whatever its class takes to be made of: an error may be raised in another process."""
        return _remade, (type(self), self.args), self.__dict__


def _remade(kind: type[ParedownError], args: tuple[object, ...]) -> ParedownError:
    error = kind.__new__(kind)
    error.args = args
    return error


def _line(part: object) -> str:
    """A part of an error on one line: foreign text in it is made harmless, a long list cut."""
    text = str(part)
    if len(text) > LONGEST:
        kept = text[:LONGEST].rpartition(", ")[0]
        more = text[len(kept) :].count(", ")
        text = f"{kept}, ... and {more} more" if kept and more > 1 else f"{text[:LONGEST]} ..."
    return printable(text)


def _lines(hint: str) -> str:
    """A hint may have lines of its own, such as those of a card to write."""
    lines = [_line(line) for line in hint.split("\n")]
    return "\n".join(lines if len(lines) <= MOST_LINES else [*lines[:MOST_LINES], "  ..."])


class UsageError(ParedownError):
    exit_code = 2


class UnknownName(UsageError):
    """A name that stands in no table. `kind` is the singular noun shown to the user ("recipe")."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str | None = None) -> None:
        names = sorted(known)
        close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        if hint is None and close:
            hint = f"did you mean {' or '.join(repr(c) for c in close)}?"
        super().__init__(f"unknown {kind} {name!r}", expected=", ".join(names), hint=hint)


class CardError(ParedownError):
    exit_code = 2


class Misread(CardError):
    """What a model answers to real images cannot be what its family gives."""


class ModelError(ParedownError):
    pass


class UnsupportedModel(ModelError):
    pass


class DataError(ParedownError):
    pass


class ImageError(DataError):
    pass


class CalibrationError(ParedownError):
    pass


class TargetError(ParedownError):
    pass


class ConnectionLost(TargetError):
    pass


class StorageError(ParedownError):
    pass


class OutOfMemory(ParedownError):
    pass


class MissingDependency(ParedownError):
    """A package is missing. `extra`: the name in `pip install paredown[extra]`, None for one of the core.

    command: what installs it, where that is neither.
    """

    def __init__(self, package: str, extra: str | None, needed_for: str, command: str = "") -> None:
        super().__init__(
            f"{needed_for} needs the package {package!r}, which is not installed",
            hint=command or ("pip install paredown" if extra is None else f"pip install 'paredown[{extra}]'"),
        )


class GateNotMet(ParedownError):
    exit_code = 3


MEMORY_HINT = "close other programs, or take a machine with more memory"
_NO_MEMORY = re.compile(
    r"bad_alloc|bad allocation|MemoryError|(fail\w* to|can(no|')t|unable to) allocate"
    r"|(insufficient|out of|not enough) memory",
    re.IGNORECASE,
)


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether the error, or one that it came from, is memory that the system did not give.

    Runtimes say it in words of their own: ONNX Runtime "bad_alloc", PyTorch "can't allocate memory".
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, MemoryError | OutOfMemory) or _NO_MEMORY.search(str(cause)):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def first_line(error: BaseException) -> str:
    """The first line of the error's text, its type where it has none."""
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
