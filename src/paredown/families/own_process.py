"""The process that runs a decode file: `python -m paredown.families.own_process`, and the other end of it.

Both ends send 8 bytes of length, little-endian, then an .npz without pickles. First the source and its name;
then for each image the outputs, answered by the parts that the file's task has, or by `error`. What the
decode prints goes to stderr. The process ends with its stdin, whatever the decode is doing then.
"""

from __future__ import annotations

import io
import os
import queue
import selectors
import subprocess
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Mapping
from typing import IO, Any, NoReturn, Self

import numpy as np

from paredown.errors import CardError
from paredown.families.own_decode import Decoder, load_decoder

LIMIT_S = 30.0  # for one image; a decode takes milliseconds
START_S = 60.0  # for the interpreter and the file's own imports
_SIZE = "/size"  # no output's name begins with it


class DecodeProcess:
    """A decode file in a process of its own, which ends with `close`, with this object, or where it fails."""

    def __init__(self, source: str, name: str) -> None:
        """Raises CardError where the file cannot be run."""
        self.name = name
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._end = weakref.finalize(self, _end, self._child)
        self.ask({"source": np.array(source), "name": np.array(name)}, START_S)

    def __call__(self, outputs: Mapping[str, Any], size: tuple[int, int]) -> Mapping[str, Any]:
        """The parts by name (own_decode.PARTS). Raises CardError where the decode fails or takes too long."""
        return self.ask({**outputs, _SIZE: np.array(size)}, LIMIT_S)

    def ask(self, arrays: Mapping[str, Any], limit_s: float) -> Mapping[str, Any]:
        assert self._child.stdin is not None
        try:
            _send(self._child.stdin, arrays)
            answer = self._receive(time.monotonic() + limit_s)
        except TimeoutError as e:
            self.close()
            raise CardError(
                f"the decode file {self.name} takes too long", got=f"over {limit_s:g} s for one image"
            ) from e
        except (OSError, EOFError) as e:
            self.close()
            raise CardError(
                f"the decode file {self.name} ended its process", got=str(e) or type(e).__name__
            ) from e
        if "error" in answer:
            self.close()
            raise CardError(
                f"the decode file {self.name} fails", got=str(answer["error"]),
                hint="`paredown new-decode MODEL` writes a file that runs (docs/unknown_model.md)",
            )  # fmt: skip
        return answer

    def _receive(self, deadline: float) -> Mapping[str, Any]:
        size = int.from_bytes(self._read(8, deadline), "little")
        return _arrays(self._read(size, deadline))

    def _read(self, size: int, deadline: float) -> bytes:
        """So many bytes. Raises TimeoutError, EOFError."""
        assert self._child.stdout is not None
        parts, descriptor = bytearray(), self._child.stdout.fileno()
        with selectors.DefaultSelector() as ready:
            ready.register(descriptor, selectors.EVENT_READ)
            while len(parts) < size:
                if not ready.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError
                part = os.read(descriptor, min(size - len(parts), 1 << 20))
                if not part:
                    raise EOFError("it gave no answer")
                parts += part
        return bytes(parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._end()


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    for stream in (child.stdin, child.stdout):
        if stream is not None and not stream.closed:
            _close(stream)


def _close(stream: IO[bytes]) -> None:
    try:
        stream.close()
    except OSError:  # what a dead process did not read
        return


def _send(stream: IO[bytes], arrays: Mapping[str, Any]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **{f"_{name}": value for name, value in arrays.items()})  # "file" is savez's own
    data = buffer.getvalue()
    stream.write(len(data).to_bytes(8, "little") + data)
    stream.flush()


def _arrays(data: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        return {name[1:]: found[name] for name in found.files}


def _serve() -> NoReturn:
    """Answers until stdin ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the decode prints must not be taken for an answer
    decoder: Decoder | None = None
    asked: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(asked,), daemon=True).start()
    while True:
        given = _arrays(asked.get())
        try:
            if decoder is None:
                decoder, answer = load_decoder(str(given["source"]), str(given["name"])), {}
            else:
                height, width = (int(v) for v in given.pop(_SIZE))
                answer = dict(decoder(given, (height, width)))
        except Exception as e:  # whatever the user's lines raise is their answer
            answer = {"error": np.array(_where(e))}
        _send(answers, answer)


def _listen(asked: queue.SimpleQueue[bytes]) -> None:
    """Takes in what is asked; ends the process with stdin, even in the middle of a decode."""
    given = os.fdopen(os.dup(0), "rb")
    while len(head := given.read(8)) == 8:
        asked.put(given.read(int.from_bytes(head, "little")))
    os._exit(0)


def _where(error: Exception) -> str:
    """The error and the line of the user's file that it comes from."""
    line = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({os.path.basename(line.filename)}, line {line.lineno})"[:500]


if __name__ == "__main__":
    _serve()
