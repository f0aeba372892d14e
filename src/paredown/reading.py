"""Reading files that strangers wrote: bounded before it begins, and never from what could keep us waiting."""

from __future__ import annotations

from pathlib import Path

from paredown.errors import ParedownError

Error = type[ParedownError]


def read_plain(path: Path, limit: int, *, what: str, error: Error) -> bytes:
    """The bytes of a file. what: what it is to the user ("the card").

    Raises: `error` where there is none, where it is a pipe, a device or a folder, where it holds more than
    `limit` bytes, and where the system refuses.
    """
    try:
        if path.exists() and not path.is_file():
            raise error(f"{what} {path} is no ordinary file", expected="a file", hint="check the path")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as e:  # ValueError: a name no file can have
        raise error(
            f"cannot read {what} {path}", got=getattr(e, "strerror", None) or e, hint="check the path"
        ) from e
    if len(data) > limit:
        size = path.stat().st_size
        raise error(f"{what} {path} is too large", got=f"{size:,} bytes", expected=f"at most {limit:,}")
    return data
